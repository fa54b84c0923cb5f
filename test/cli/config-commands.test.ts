// shoal check, shoal config sample, shoal config import: what they answer, and that they change nothing.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmod, lstat, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir, userInfo } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { ConfigReport } from '../../src/cli/check.js'
import type { ImportReport } from '../../src/cli/import.js'
import { PLACEHOLDERS } from '../../src/config/sample.js'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { repository } from '../support/repository.js'
import { shoal, type Transcript } from './transcript.js'

const write = writeSecretOf(Buffer.alloc(32, 1))
const W = formatSecret(write)
const W2 = formatSecret(writeSecretOf(Buffer.alloc(32, 2)))
const R = formatSecret(deriveSecret(write, 'read'))
const OLD = 'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'

let root: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'shoal-check-'))
})
afterEach(() => rm(root, { recursive: true }))

async function put(name: string, content: object | string, mode = 0o600): Promise<string> {
  const file = join(root, name)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content))
  await chmod(file, mode)
  return file
}

const share = (secret: unknown, dir: string, more: object = {}): object => ({ secret, dir, ...more })
const conf = (name: string, shares: readonly object[], more: object = {}): object => ({
  device_name: `${name} device`,
  storage_path: `store-${name}`,
  ...more,
  shared_folders: shares,
})

/** The answer, with the test's own folder cut out and secrets looked for. */
async function ask(...argv: string[]): Promise<Transcript> {
  const { exit, out, err } = await shoal(argv)
  for (const secret of [W, W2, R, OLD])
    for (const piece of [secret.slice(8, 24), secret.slice(-16)])
      assert.ok(!`${out}${err}`.includes(piece), out)
  return { exit, out: out.replaceAll(`${root}/`, ''), err: err.replaceAll(`${root}/`, '') }
}

async function json<T>(...argv: string[]): Promise<{ exit: number; answer: T }> {
  const { exit, out, err } = await ask(...argv, '--json')
  assert.equal(err, '')
  return { exit, answer: JSON.parse(out) as T }
}

describe('shoal check', () => {
  it('explains a configuration that would run', async () => {
    await mkdir(join(root, 'here'))
    const file = await put(
      'www.conf',
      conf(
        'www',
        [
          share(W, 'here', { known_hosts: ['192.0.2.1:1', '[::1]:2'], search_lan: 0, use_sync_trash: false }),
          share(W2, 'new', { use_relay_server: true, use_tracker: 1 }),
        ],
        { listening_port: '4444', listen_host: '127.0.0.1', pid_file: 'www.pid', odd: 1 },
      ),
    )
    const { exit, out, err } = await ask('check', file)
    assert.deepEqual([exit, err], [0, ''])
    const lines = out.split('\n')
    assert.equal(lines[0], 'www.conf: would run')
    assert.match(lines[1]!, /^ {2}instance {2}www, runs as \S+:\S+$/)
    assert.deepEqual(lines.slice(2, 8), [
      '  device    www device',
      '  listens   port 4444, 127.0.0.1',
      '  storage   store-www',
      '  pid file  www.pid',
      '  folder    here: write secret; peers by 2 known hosts (192.0.2.1:1, [::1]:2); no archive',
      '  folder    new (to be made): write secret; peers by the local network; archive',
    ])
    assert.match(
      lines[8]!,
      /^ {2}warning: www\.conf:1:\d+: odd: is not a key of this place and has no effect$/,
    )
    assert.match(
      lines[9]!,
      /^ {2}note: www\.conf:1:\d+: shared_folders\[1\]\.use_relay_server: has no effect without "relays"/,
    )
    assert.match(
      lines[10]!,
      /^ {2}note: www\.conf:1:\d+: shared_folders\[1\]\.use_tracker: has nothing left to do/,
    )
    assert.equal(lines.length, 12)
    // Nothing was made.
    assert.deepEqual((await readdir(root)).sort(), ['here', 'www.conf'])
  })

  it('warns of programs of hooks that are not there, with their place', async () => {
    const on_change = [
      { match: '*', run: ['sh', '-c', 'true'] },
      { match: '*', run: ['no-such-program-here'] },
      { match: '*', run: ['/nonexistent/program'] },
      { match: '*', run: ['true'], cwd: '/' },
      { match: '*', run: ['true'], cwd: '/nonexistent/folder' },
    ]
    const file = await put('a.conf', conf('a', [share(W, 'a', { on_change })]))
    const { exit, answer } = await json<ConfigReport[]>('check', file)
    assert.equal(exit, 0)
    const warnings = answer[0]!.warnings.map((line) => line.replace(/^.*:1:\d+: /, ''))
    assert.match(warnings[0]!, /^shared_folders\[0\]\.on_change\[1\]\.run: its program is not found in \//)
    assert.deepEqual(warnings.slice(1), [
      'shared_folders[0].on_change[2].run: its program is not there',
      'shared_folders[0].on_change[4].cwd: is no folder that is there, so the program will not start',
    ])
  })

  it('looks at all configurations of a folder', async () => {
    await put('a.conf', conf('a', [share(W, 'a')]))
    await put('b.conf', '{')
    await put('notes.txt', 'nothing of ours')
    const { exit, answer } = await json<ConfigReport[]>('check', root)
    assert.equal(exit, 1)
    assert.deepEqual(
      answer.map(({ file, ok }) => [file, ok]),
      [
        ['a.conf', true],
        ['b.conf', false],
      ],
    )
  })

  it('says everything wrong of each file, and the rest of the others', async () => {
    await put('key', R)
    const files = [
      await put('a.conf', conf('a', [share('BFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN', 'x')])),
      await put('b.conf', conf('b', [share({ file: 'key' }, 'b')])),
      await put('c.conf', '{\n  "storage_path": "/",\n  "listening_port": 70000,'),
      join(root, 'missing.conf'),
    ]
    const { exit, answer } = await json<ConfigReport[]>('check', ...files)
    assert.equal(exit, 1)
    assert.deepEqual(
      answer.map(({ ok, errors }) => [ok, errors.length]),
      [
        [false, 1],
        [true, 0],
        [false, 1],
        [false, 1],
      ],
    )
    assert.match(
      answer[0]!.errors[0]!,
      /a\.conf:1:\d+: shared_folders\[0\]\.secret: a BitTorrent Sync secret of kind B/,
    )
    assert.deepEqual(answer[1]!.shares[0]?.grade, 'read')
    assert.match(answer[2]!.errors[0]!, /c\.conf:3:\d+: /)
    assert.match(answer[3]!.errors[0]!, /^cannot read the configuration file .*missing\.conf: no such file$/)
  })

  it('finds what several cannot have at once, by their paths and through links', async () => {
    await mkdir(join(root, 'data'))
    await symlink('data', join(root, 'link'))
    const files = [
      await put('a.conf', conf('a', [share(W, 'data')], { listening_port: 5 })),
      await put('b.conf', conf('b', [share(W2, 'link/in')], { listening_port: 5 })),
      await put('c.conf', conf('c', [share(W2, 'data/x/y')], { storage_path: 'store-a' })),
      await put('x/a.conf', conf('d', [])),
    ]
    const { exit, answer } = await json<ConfigReport[]>('check', ...files, files[0]!)
    assert.equal(exit, 1)
    const errors = answer.map((report) => report.errors.map((error) => error.replace(/^.*?:\d+:\d+: /, '')))
    const a = 'a.conf'
    assert.deepEqual(errors, [
      [],
      [
        `listening_port: is 5, and so is that of ${a}; expected a port each`,
        `shared_folders[0].dir: lies, with links followed, in the folder of shared_folders[0] of ${a}`,
      ],
      [
        `storage_path: is also the storage_path of ${a}, expected one for each daemon`,
        `shared_folders[0].dir: lies in the folder of shared_folders[0] of ${a}`,
      ],
      [`is an instance called "a", and so is ${a}; expected a name each`],
    ])
  })

  it('refuses a file that others can read, a name that is none, a user that does not exist', async () => {
    const files = [
      await put('open.conf', conf('open', [share(W, 'a')]), 0o644),
      await put('www.Web.conf', conf('web', [share(W2, 'b')])),
      await put('www.nobody-of-this-name.conf', conf('nobody', [])),
    ]
    const { exit, answer } = await json<ConfigReport[]>('check', ...files)
    assert.equal(exit, 1)
    assert.match(
      answer[0]!.errors.join(),
      /open\.conf holds a secret and other users have rights to it \(mode 0644\)/,
    )
    assert.match(answer[1]!.errors.join(), /names a user with capital letters/)
    assert.ok(!(await ask('check', files[1]!)).out.includes('null'))
    assert.match(answer[2]!.errors.join(), /there is no user "nobody-of-this-name"/)
  })

  it('reads the parts of NAME.conf.d, and names them', async () => {
    await put('www.conf.d/1.part', `{"storage_path": "s", "shared_folders": [`)
    await put('www.conf.d/2.part', `{"secret": "${W}", "dir": "d", "use_dht": 7}`)
    await put('www.conf.d/3.part', ']}')
    const { exit, out } = await ask('check', join(root, 'www.conf'))
    assert.equal(exit, 1)
    assert.match(
      out,
      /^www\.conf: would not run\n {2}error: www\.conf\.d\/2\.part:1:\d+: shared_folders\[0\]\.use_dht: is 7/,
    )
    await put('www.conf.d/2.part', `{"secret": "${W}", "dir": "d"}`)
    assert.equal((await ask('check', join(root, 'www.conf'))).exit, 0)
    assert.deepEqual(await readdir(root), ['www.conf.d'])
  })

  it('takes the article of BitTorrent Sync with secret and paths changed', async () => {
    const article = await readFile(
      new URL('examples/btsync/configs.www-data.www-data.conf', repository),
      'utf8',
    )
    const { username } = userInfo()
    const mine = article
      .replace(/"AFIV\w+"/, `"${W}"`)
      .replace('/var/lib/btsync/configs', `${root}/store`)
      .replace('/srv/configs', `${root}/data`)
      .replace('DAEMON_UID=www-data', `DAEMON_UID=${username}`)
      .replace('// DAEMON_GID=www-data\n', '')
    const file = await put('configs.conf', mine)
    const { exit, answer } = await json<ConfigReport[]>('check', file)
    assert.equal(exit, 0, answer[0]?.errors.join('\n'))
    const [report] = answer
    assert.deepEqual(
      [report?.name, report?.deviceName, report?.listeningPort],
      ['configs', 'app01 config', 12345],
    )
    assert.ok(
      report?.runsAs?.startsWith(`${username}:`) && report.runsAs.endsWith(', umask 0027'),
      report?.runsAs ?? '',
    )
    assert.deepEqual([report?.warnings, report?.notYet.length, report?.notes.length], [[], 0, 3])
  })

  it('shows no secret at the wrong place', async () => {
    const file = await put(
      'a.conf',
      conf(W, [share({ file: OLD }, OLD.slice(1))], { device_name: OLD, [W]: 1 }),
    )
    assert.equal((await ask('check', file)).exit, 1)
    assert.equal((await json('check', file)).exit, 1)
  })
})

describe('shoal config', () => {
  it('sample: is right with its placeholders replaced', async () => {
    const { exit, out } = await ask('config', 'sample')
    assert.equal(exit, 0)
    const mine = out
      .replace(PLACEHOLDERS.secret, W)
      .replace(PLACEHOLDERS.dir, join(root, 'www'))
      .replace(PLACEHOLDERS.storage, join(root, 'store'))
    assert.equal((await ask('check', await put('www.conf', mine))).exit, 0)
    assert.equal((await ask('check', await put('raw.conf', out))).exit, 1)
  })

  it('says what it knows when asked for something else', async () => {
    assert.deepEqual(await shoal(['config', 'export']), {
      exit: 64,
      out: '',
      err: 'there is no command "config export"\nhint: run shoal --help to see the commands\n',
    })
  })
})

describe('shoal config import', () => {
  /** Names, modes, times and content of everything. */
  async function everything(): Promise<string[]> {
    const names = await readdir(root, { recursive: true })
    return Promise.all(
      names.sort().map(async (name) => {
        const { mode, mtimeMs, ctimeMs, size } = await lstat(join(root, name))
        const content = (mode & 0o170000) === 0o100000 ? await readFile(join(root, name)) : ''
        return `${name} ${mode} ${mtimeMs} ${ctimeMs} ${size} ${createHash('sha256').update(content).digest('hex')}`
      }),
    )
  }

  const installation = async (): Promise<string> => {
    await put(
      'etc/btsync/www.conf',
      conf('www', [share(OLD, `${root}/srv/www`)], { storage_path: `${root}/st/www` }),
    )
    await put(
      'etc/btsync/ro.conf',
      conf('ro', [share(W2, `${root}/srv/a`), share(`B${OLD.slice(1)}`, `${root}/srv/b`)]),
    )
    await put('etc/btsync/once.conf', conf('once', [share(`C${OLD.slice(1)}`, `${root}/srv/c`)]))
    await put('etc/btsync/blind.conf', conf('blind', [share(`F${OLD.slice(1)}`, `${root}/srv/d`)]))
    await put('etc/btsync/ui.conf', { storage_path: `${root}/st/ui`, webui: { listen: '127.0.0.1:8888' } })
    await put('etc/btsync/parts.conf.d/1.part', `{"storage_path": "${root}/st/parts",`)
    await put(
      'etc/btsync/parts.conf.d/2.part',
      `"shared_folders": [{"secret": "${W}", "dir": "${root}/srv/parts"}]}`,
    )
    await put('etc/btsync/parts.conf', '// made from the parts, long ago\n{}')
    await put('etc/btsync/debconf-default.key', 'x')
    await put(
      'etc/default/btsync',
      '# AUTOSTART="none"\nAUTOSTART="www parts gone"\nDAEMON_ARGS="--x"\nDAEMON_BIND=192.0.2.1\n',
    )
    await put('srv/www/.SyncIgnore', '*.tmp\n')
    await put('srv/www/.SyncID', 'x')
    await put('st/www/settings.dat', 'x')
    await chmod(join(root, 'st/www'), 0o700)
    return join(root, 'etc/btsync')
  }

  it('says of each file whether it works, what to do, and changes nothing', async () => {
    const directory = await installation()
    const before = await everything()
    const { exit, answer } = await json<ImportReport>('config', 'import', directory)
    assert.equal(exit, 1)
    assert.equal(answer.ok, false)
    const todo = new Map(answer.configs.map(({ name, file, todo: what }) => [name ?? file, what.join('\n')]))
    assert.deepEqual([...todo.keys()], ['blind', 'once', 'etc/btsync/parts.conf', 'ro', 'ui', 'www'])
    assert.deepEqual(
      answer.configs.map(({ ok }) => ok),
      [false, false, false, false, true, true],
    )
    assert.match(todo.get('blind')!, /^folder 1: its encrypted secret cannot be used/)
    assert.match(todo.get('once')!, /^folder 1: its one-time secret cannot be used/)
    assert.match(todo.get('ro')!, /^folder 2: its read-only secret cannot be used.*shoal secret show/)
    assert.match(todo.get('etc/btsync/parts.conf')!, /^remove .*parts\.conf: the old package made it/)
    assert.match(todo.get('ui')!, /^it has no shared_folders: folders that were added in the web interface/)
    assert.match(
      todo.get('www')!,
      /srv\/www holds files of BitTorrent Sync's own \(\.SyncID, \.SyncIgnore\), .*\.shoalignore/,
    )
    assert.match(todo.get('www')!, /st\/www holds BitTorrent Sync's data/)
    assert.equal(answer.autostart, 'www parts gone')
    assert.deepEqual(
      answer.todo.map((text) => text.replaceAll(`${root}/`, '')),
      [
        'DAEMON_ARGS in etc/default/btsync has no effect: what they asked for belongs into the configurations',
        'DAEMON_BIND in etc/default/btsync has no effect: write "listen_host" into each configuration',
        'AUTOSTART names "gone", and there is no configuration of that name',
      ],
    )
    const { exit: code, out } = await ask('config', 'import', directory)
    assert.equal(code, 1)
    assert.match(out, /^etc\/btsync\/blind\.conf: would not run\n/)
    assert.match(out, /\netc\/btsync: 1 of 6 work as they are\n {2}autostart: www parts gone\n/)
    assert.match(out, /Nothing was changed\.\n$/)
    assert.deepEqual(await everything(), before)
  })

  it('exits with 0 if all work as they are', async () => {
    await put('etc/btsync/www.conf', conf('www', [share(OLD, `${root}/srv/www`)]))
    const { exit, answer } = await json<ImportReport>('config', 'import', join(root, 'etc/btsync'))
    assert.deepEqual([exit, answer.ok, answer.autostart, answer.todo], [0, true, null, []])
  })

  it('says that there is nothing to import', async () => {
    const none = await ask('config', 'import', join(root, 'none'))
    assert.deepEqual([none.exit, none.err.split('\n')[0]], [66, 'cannot read none: no such folder'])
    await mkdir(join(root, 'empty'))
    const empty = await ask('config', 'import', join(root, 'empty'))
    assert.match(empty.err, /^empty holds no file that ends in \.conf/)
    assert.equal(empty.exit, 66)
  })
})
