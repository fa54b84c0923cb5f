// The text of a configuration that `shoal share`, `shoal join` and `shoal backup add` write: what they were told, the keys that people change
// first, and what each is for. The secret stands in it, not in a file of its own: one file to protect, to back up and
// to take away. Every text reads back without a warning (test/config/new-config.test.ts).
import { basename } from 'node:path'
import { formatSecret, type Secret } from '../core/secret.js'
import type { ProxyConfig } from './proxy.js'

export interface NewConfig {
  readonly name: string
  /** The command that writes it. */
  readonly madeBy: 'share' | 'join' | 'backup add'
  readonly secret: Secret
  /** Absolute. */
  readonly dir: string
  /** Absolute. */
  readonly storagePath: string
  /** 0: any free one. */
  readonly port: number
  /** "host:port" each. */
  readonly knownHosts: readonly string[]
  /** "host:port" each. */
  readonly bootstrap: readonly string[]
  /** "host:port" each. */
  readonly relays?: readonly string[]
  readonly proxy?: ProxyConfig
  readonly searchLan: boolean
  /** Of a blind node: "s3://bucket/prefix"; absent: in `dir`. */
  readonly vault?: string
}

const GRANTS = {
  write: 'whoever has it can read and change everything, and let others in',
  read: 'whoever has it can read everything and let others read',
  blind: 'whoever has it can keep the data without reading it',
} as const

/** A name for the share in a folder: its last part in small letters, what a name may not hold as "-"; empty if nothing is left. */
export function nameOfFolder(dir: string): string {
  return basename(dir)
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 64)
}

/** The text of the file. */
export function newConfigText(config: NewConfig): string {
  const { name, madeBy, secret, dir, storagePath, port, knownHosts, bootstrap, searchLan, vault } = config
  const { relays = [], proxy } = config
  const text = (value: unknown): string => JSON.stringify(value)
  const list = (values: readonly string[]): string => `[${values.map(text).join(', ')}]`
  const dht =
    bootstrap.length === 0
      ? '  // Nodes of a DHT of your own (shoal dht), for members whose addresses change; then "use_dht": true below. Without\n  // any, "use_dht" asks the public one.\n  // "bootstrap": ["host:port"],'
      : `  // Nodes of a private DHT (shoal dht), for members whose addresses change.\n  "bootstrap": ${list(bootstrap)},`
  // A blind node has no files, and so no archive of them: what it keeps of the past is in its vault.
  const past =
    secret.grade === 'blind'
      ? `${vaultLines(vault)}\n      "use_sync_trash": true`
      : '      // What is replaced or deleted by others stays in .shoal/archive in the folder.\n      "use_sync_trash": true'
  return `// ${name}, made by "shoal ${madeBy}". Keep this file to yourself (mode 0600): it holds a secret.
// All keys: man shoal.conf, or docs/configuration.md.
{
  // What other members see this device as; the host's name unless given.
  // "device_name": "laptop",

  // TCP. 0: any free port, which is then kept. A fixed one, open in the firewall, is what others put into known_hosts.
  "listening_port": ${port},

  // The keys of this device and what it knows. Of this device alone: never copy it to another one.
  "storage_path": ${text(storagePath)},

${dht}
${relays.length === 0 ? '' : `\n  // They forward where no direct connection can be had.\n  "relays": ${list(relays)},\n`}${proxyLines(proxy)}
  "shared_folders": [
    {
      // A ${secret.grade} secret: ${GRANTS[secret.grade]}.
      "secret": ${text(formatSecret(secret))},
      "dir": ${text(dir)},
      // Members whose addresses do not change, "host:port" each; one is enough, it knows the others.
      "known_hosts": ${list(knownHosts)},
      // Members on the local network find each other by themselves.
      "search_lan": ${searchLan},
      "use_dht": ${bootstrap.length > 0},
${past}
    }
  ]
}
`
}

function proxyLines(proxy: ProxyConfig | undefined): string {
  if (proxy === undefined) return ''
  const { type, host, port, username, password = '', allowsDirect } = proxy
  const login = {
    proxy_auth: true,
    proxy_username: username,
    ...(password !== '' && { proxy_password: password }),
  }
  const keys = {
    ...{ proxy_type: type, proxy_addr: host, proxy_port: port },
    ...(username !== undefined && login),
    ...(allowsDirect && { proxy_allow_direct: true }),
  }
  const lines = Object.entries(keys).map(([key, value]) => `  "${key}": ${JSON.stringify(value)},\n`)
  const past = allowsDirect ? 'the DHT goes past it' : 'nothing goes past it'
  return `\n  // Other devices and relays are reached through it, and ${past} (docs/proxies.md).\n${lines.join('')}`
}

function vaultLines(vault: string | undefined): string {
  return vault === undefined
    ? '      // Instead of in the folder, the vault can lie in a bucket; AWS_* variables say which server and who asks.\n      // "vault": "s3://BUCKET/PREFIX",'
    : `      // Where the vault lies; AWS_* variables say which server and who asks. In the folder is what waits for it.\n      "vault": ${JSON.stringify(vault)},`
}
