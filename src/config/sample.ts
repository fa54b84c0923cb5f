// The sample that `shoal config sample` prints: what most people need first, and every other key that works as a comment
// with its default, so that it takes effect by removing two slashes. Made from the schema, so it lacks none.
import { type KeyRow, keyRows, plainText } from './describe.js'

/** What stands in the sample for what only its reader knows. */
export const PLACEHOLDERS = {
  secret: 'PASTE A SECRET HERE',
  dir: '/srv/FOLDER',
  storage: '/var/lib/shoal/NAME',
} as const

/** Values for keys whose default is no value. */
const VALUES: Readonly<Record<string, string>> = {
  device_name: '"server1"',
  listen_host: '"192.0.2.1"',
  pid_file: '"/run/shoal/NAME.pid"',
  max_file_size_for_versioning: '1000',
  interfaces: '["eth0"]',
  bootstrap: '["192.0.2.10:49737", "192.0.2.20:49737", "192.0.2.30:49737"]',
  owners: '"name"',
  owner_map: '{ "alice": "www-data" }',
  acls: 'true',
  xattrs: '["user.*"]',
  padding: '"padme"',
  vault: '"s3://my-backups/shoal/projects"',
  releases: '{ "keep": 5 }',
  history: '{ "keep": "30d" }',
  limits: '[{ "days": "mon-fri", "from": "08:00", "to": "18:00", "upload": 200 }]',
  proxy_type: '"none"',
  proxy_addr: '"proxy.example"',
  proxy_port: '1080',
  proxy_username: '"alice"',
  proxy_password: '"PASSWORD"',
  copies: '{ "min": 3, "offsite": 1 }',
  known_hosts: '["192.0.2.2:44444", "[2001:db8::2]:44444"]',
  on_change: '[{ "match": "postfix/**", "run": ["systemctl", "reload", "postfix"] }]',
}
/** Keys that stand in the sample itself. */
const SHOWN: ReadonlySet<string> = new Set([
  ...[
    'storage_path',
    'shared_folders',
    'folder_defaults',
    'webui',
    'device_name',
    'listening_port',
    'secret',
    'dir',
  ],
])
const WIDTH = 116

/** A configuration with comments. Its placeholders must be replaced before it is right. */
export function sampleConfig(): string {
  const works = keyRows().filter(({ fate, key }) => fate === 'works' && !SHOWN.has(key))
  const of = (section: KeyRow['section'], indent: string): string[] =>
    works.filter((row) => row.section === section).flatMap((row) => commentedKey(row, indent))
  return `${[
    '// A configuration of Shoal: JSON with comments, the format of BitTorrent Sync. All keys: docs/configuration.md.',
    '// Lines that begin with "//," are keys with their defaults or an example: remove the two slashes to use one.',
    '// Keep this file to yourself, as it holds a secret: chmod 600. Then: shoal check FILE, shoal run FILE.',
    '//',
    '// Its name says as whom it runs where the system starts it: NAME.conf, NAME.USER.conf or NAME.USER.GROUP.conf.',
    '// The tags DAEMON_UID, DAEMON_GID, DAEMON_UMASK, DAEMON_NICE and DAEMON_BIND beat the name: each in a comment line',
    '// of its own, followed by an equals sign and its value.',
    '{',
    "  // Shown to other members. Without it: the host's name.",
    '  "device_name": "server1",',
    '',
    '  // TCP port to listen on; 0: any free one, which is then kept.',
    '  "listening_port": 44444,',
    '',
    "  // Folder of the daemon's own data. Each daemon needs one, apart from what it syncs.",
    `  "storage_path": "${PLACEHOLDERS.storage}",`,
    '',
    '  "shared_folders": [',
    '    {',
    '      // A write or read secret: shoal secret new. Or a file that holds it: { "file": "PATH" }',
    `      "secret": "${PLACEHOLDERS.secret}",`,
    '',
    '      // The folder; it is made if it is not there.',
    `      "dir": "${PLACEHOLDERS.dir}"`,
    ...of('shared_folders', '      '),
    '    }',
    '  ]',
    ...of('root', '  '),
    '',
    '  // What shared folders have that leave a key out.',
    '  //, "folder_defaults": { "use_lan_broadcast": true, "use_dht": false, "delete_to_trash": true, "known_hosts": "" }',
    '',
    '  // The control API over TCP, for programs that bring the key: docs/api-tcp.md.',
    '  //, "webui": { "listen": "127.0.0.1:8888", "api_key": { "file": "NAME.key" } }',
    '}',
  ].join('\n')}\n`
}

function commentedKey({ key, text, unit, default: value }: KeyRow, indent: string): string[] {
  const sentence = plainText(text).replace(/^./, (first) => first.toUpperCase())
  const measure = unit === '' ? '' : ` (${unit})`
  const absent = value.startsWith('`') || !(key in VALUES) ? '' : ` Without it: ${value}.`
  return [
    '',
    ...folded(`${sentence}${measure}.${absent}`, WIDTH - indent.length).map((line) => `${indent}// ${line}`),
    `${indent}//, "${key}": ${VALUES[key] ?? value.replaceAll('`', '')}`,
  ]
}

function folded(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const last = lines.at(-1)!
    if (last !== '' && last.length + word.length + 1 > width) lines.push(word)
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`
  }
  return lines
}
