// As whom a configuration is run and what is refused (docs/credentials.md), as processes: each refusal with root's rights
// and as an ordinary user. A configuration that is accepted is told by the next thing wrong with it: a secret that is
// none (exit 78), which is read only after root's rights are gone.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { User } from '../../src/instance/accounts.js'
import { commandArgs } from '../support/command.js'
import { account, type Ended, IS_ROOT, NEEDS_ROOT, needsUser, runToEnd } from '../support/privileges.js'

const USER = 'nobody'
const OTHER = 'www-data'
const THIRD = 'games'
/** Accepted as far as users and files go: what is wrong is its secret. */
const ACCEPTED = /shared_folders\[0\]\.secret: /

let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'shoal-credentials-'))
  fs.chmodSync(folder, 0o755)
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

interface ConfigFile {
  readonly name?: string
  readonly comment?: string
  readonly mode?: number
  readonly owner?: User | undefined
  readonly secret?: string | { readonly file: string }
}

/** Who runs the command: root, or an ordinary user; and the folder is theirs. */
interface Runner {
  readonly user: User | undefined
  readonly uid: number
}

function makeRunner(user: User | undefined): Runner {
  if (user !== undefined) fs.chownSync(folder, user.uid, user.gid)
  return { user, uid: user?.uid ?? process.geteuid!() }
}

/** Writes a configuration, the runner's own unless told otherwise; its path. */
function config(
  runner: Runner,
  { name = 'a.conf', comment = '', mode = 0o600, owner, secret = 'no secret' }: ConfigFile = {},
): string {
  const file = path.join(folder, name)
  const text = JSON.stringify({ storage_path: 'store', shared_folders: [{ secret, dir: 'share' }] })
  fs.writeFileSync(file, `${comment}\n${text}\n`)
  if (IS_ROOT) fs.chownSync(file, owner?.uid ?? runner.uid, 0)
  fs.chmodSync(file, mode)
  return file
}

/** Open to read and enter, whatever the umask of the tests. */
function makeFolder(at: string): void {
  fs.mkdirSync(at)
  fs.chmodSync(at, 0o755)
}

function shoalRun(runner: Runner, file: string, env: Record<string, string> = {}): Promise<Ended> {
  return runToEnd(process.execPath, commandArgs(['run', file]), { as: runner.user, env })
}

function assertEnded({ exit, out, err }: Ended, code: number, message: RegExp): void {
  assert.match(err, message)
  assert.deepEqual([exit, out], [code, ''])
  assert.doesNotMatch(err, /no secret|node:internal|^ {4}at /m)
}

/** What both meet in the same way. */
function refusals(makeOne: () => Runner): void {
  const named: readonly [string, string, RegExp][] = [
    ['a user that does not exist', 'a.nosuch.conf', /there is no user "nosuch" on this machine/],
    ['a user with a capital letter', 'a.Root.conf', /names a user with capital letters/],
    ['a group that does not exist', 'a.root.nosuch.conf', /there is no group "nosuch" on this machine/],
    ['a group with a capital letter', 'a.root.Root.conf', /names a group with capital letters/],
    ['too many parts', 'a.b.c.d.conf', /has 4 parts before .conf/],
    ['an empty part', 'a..conf', /empty part where a user belongs/],
  ]
  for (const [what, name, message] of named)
    it(`refuses ${what}`, async () => {
      const runner = makeOne()
      assertEnded(await shoalRun(runner, config(runner, { name })), 78, message)
    })

  it('refuses a tag with a user or group that does not exist, with its place', async () => {
    const runner = makeOne()
    const comment = '// DAEMON_UID=nosuch\n  // DAEMON_GID=nosuch'
    const ended = await shoalRun(runner, config(runner, { comment }))
    assertEnded(ended, 78, /a\.conf:1:4: DAEMON_UID: there is no user "nosuch" on this machine$/m)
    assert.match(ended.err, /a\.conf:2:6: DAEMON_GID: there is no group "nosuch"/)
  })

  it('accepts a private configuration', async () => {
    const runner = makeOne()
    for (const mode of [0o600, 0o400])
      assertEnded(await shoalRun(runner, config(runner, { mode })), 78, ACCEPTED)
  })

  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
    it(`refuses a configuration with a secret of mode ${mode.toString(8)}`, async () => {
      const runner = makeOne()
      const message = /a\.conf holds a secret and other users have rights to it .*: chmod 600 .*a\.conf$/m
      assertEnded(await shoalRun(runner, config(runner, { mode })), 77, message)
    })

  it('lets others read a configuration without a secret in it, but not write it', async () => {
    const runner = makeOne()
    const secret = { file: 'missing' }
    assertEnded(await shoalRun(runner, config(runner, { mode: 0o644, secret })), 78, /cannot read .*missing/)
    for (const mode of [0o664, 0o646])
      assertEnded(
        await shoalRun(runner, config(runner, { mode, secret })),
        77,
        /a\.conf can be changed by other users .*: chmod go-w .*a\.conf$/m,
      )
  })

  it('refuses a folder in which others could exchange it', async () => {
    const runner = makeOne()
    const file = config(runner)
    fs.chmodSync(folder, 0o757)
    assertEnded(await shoalRun(runner, file), 77, /can be exchanged by other users: .*: chmod go-w /)
    fs.chmodSync(folder, 0o1757)
    assertEnded(await shoalRun(runner, file), 78, ACCEPTED)
  })

  it('refuses a storage path that others can read or write', async () => {
    const runner = makeOne()
    const file = config(runner)
    const store = path.join(folder, 'store')
    fs.mkdirSync(store)
    if (IS_ROOT) fs.chownSync(store, runner.uid, 0)
    for (const mode of [0o755, 0o750, 0o720, 0o701]) {
      fs.chmodSync(store, mode)
      assertEnded(
        await shoalRun(runner, file),
        77,
        /storage_path .*store can be read or written by other users .*: chmod 700 .*store$/m,
      )
    }
    fs.chmodSync(store, 0o700)
    assertEnded(await shoalRun(runner, file), 78, ACCEPTED)
  })

  it('refuses a storage path that others could put another in the place of', async () => {
    const runner = makeOne()
    const open = path.join(folder, 'open')
    makeFolder(open)
    if (IS_ROOT) fs.chownSync(open, runner.uid, 0)
    const file = config(runner)
    const text = JSON.stringify({
      storage_path: 'open/store',
      shared_folders: [{ secret: 'no secret', dir: 's' }],
    })
    fs.writeFileSync(file, text)
    fs.chmodSync(open, 0o757)
    const message = /storage_path .*open\/store can be exchanged by other users: .*: chmod go-w .*open$/m
    // Before it is there others could make it, and after that exchange it.
    assertEnded(await shoalRun(runner, file), 77, message)
    fs.mkdirSync(path.join(open, 'store'), { mode: 0o700 })
    if (IS_ROOT) fs.chownSync(path.join(open, 'store'), runner.uid, 0)
    assertEnded(await shoalRun(runner, file), 77, message)
    for (const mode of [0o1757, 0o755]) {
      fs.chmodSync(open, mode)
      assertEnded(await shoalRun(runner, file), 78, ACCEPTED)
    }
  })

  it('refuses a configuration of another user', { skip: needsUser(THIRD) }, async () => {
    const runner = makeOne()
    const file = config(runner, { owner: account(THIRD), mode: 0o644, secret: { file: 'x' } })
    assertEnded(await shoalRun(runner, file), 77, /a\.conf belongs to another user \(uid \d+\), expected/)
  })

  it('refuses a storage path of another user, or with things of one in it', {
    skip: NEEDS_ROOT,
  }, async () => {
    const runner = makeOne()
    const file = config(runner)
    const store = path.join(folder, 'store')
    const inside = path.join(store, 'identity.json')
    fs.mkdirSync(store, { mode: 0o700 })
    fs.writeFileSync(inside, '')
    const third = account(THIRD)!
    fs.chownSync(store, third.uid, third.gid)
    assertEnded(await shoalRun(runner, file), 77, /storage_path .* belongs to another user .*: chown -R /)
    fs.chownSync(store, runner.uid, 0)
    fs.chownSync(inside, third.uid, third.gid)
    assertEnded(await shoalRun(runner, file), 77, /identity\.json in storage_path .* belongs to another user/)
  })
}

describe('as the user who runs the tests', () => refusals(() => makeRunner(undefined)))

describe('as an ordinary user', { skip: needsUser(USER) }, () => {
  const makeOne = (): Runner => makeRunner(account(USER))
  refusals(makeOne)

  it('runs what is named for itself', async () => {
    const runner = makeOne()
    for (const name of ['a.conf', 'a.nobody.conf', 'a.nobody.nogroup.conf'])
      assertEnded(await shoalRun(runner, config(runner, { name })), 78, ACCEPTED)
  })

  it('never runs what is for another user or group', async () => {
    const runner = makeOne()
    const other = /it is to run as www-data \(by its file name\), and only root can run it as another user/
    assertEnded(await shoalRun(runner, config(runner, { name: 'a.www-data.conf' })), 77, other)
    const group = /it is to run with the group www-data \(by its file name\), and only root/
    assertEnded(await shoalRun(runner, config(runner, { name: 'a.nobody.www-data.conf' })), 77, group)
    const tagged = config(runner, { comment: '// DAEMON_UID=root' })
    assertEnded(await shoalRun(runner, tagged), 77, /it is to run as root \(by its tag\)/)
    const grouped = config(runner, { comment: '// DAEMON_GID=www-data' })
    assertEnded(await shoalRun(runner, grouped), 77, /with the group www-data \(by its tag\)/)
  })

  it('cannot go before others', async () => {
    const runner = makeOne()
    const file = config(runner, { comment: '// DAEMON_NICE=-5' })
    assertEnded(await shoalRun(runner, file), 77, /cannot set DAEMON_NICE=-5: only root/)
  })
})

describe('as root for another user', { skip: needsUser(OTHER) }, () => {
  const root: Runner = { user: undefined, uid: 0 }
  const name = `a.${OTHER}.conf`
  const other = account(OTHER)

  it("takes root's configuration and the user's own", async () => {
    assertEnded(await shoalRun(root, config(root, { name })), 78, ACCEPTED)
    assertEnded(await shoalRun(root, config(root, { name, owner: other, mode: 0o400 })), 78, ACCEPTED)
  })

  it('refuses the configuration of a third', { skip: needsUser(THIRD) }, async () => {
    const owner = account(THIRD)
    assertEnded(await shoalRun(root, config(root, { name, owner })), 77, /belongs to another user/)
    // Nor does a user's file get to say that it is root's.
    const own = config(root, { comment: '// DAEMON_UID=root', owner })
    assertEnded(await shoalRun(root, own), 77, /belongs to another user/)
  })

  it('reads no secret of root for a user who says where it lies', async () => {
    const theirs = path.join(folder, 'theirs')
    makeFolder(theirs)
    fs.chownSync(theirs, other!.uid, other!.gid)
    const secret = config(root)
    const link = path.join(theirs, name)
    fs.symlinkSync(secret, link)
    fs.lchownSync(link, other!.uid, other!.gid)
    const refused = /belongs to root but lies where the user it runs as decides which file that is/
    assertEnded(await shoalRun(root, link), 77, refused)
    fs.rmSync(link)
    fs.linkSync(secret, link)
    assertEnded(await shoalRun(root, link), 77, refused)
    fs.rmSync(link)
    // A link of root's own is as good as the file.
    const sound = path.join(folder, name)
    fs.symlinkSync(secret, sound)
    assertEnded(await shoalRun(root, sound), 78, ACCEPTED)
    // Somewhere above lies a folder of the user's.
    const below = path.join(theirs, 'below')
    makeFolder(below)
    fs.renameSync(secret, path.join(below, name))
    assertEnded(await shoalRun(root, path.join(below, name)), 77, refused)
  })

  it('refuses a folder of another user anywhere above', { skip: needsUser(THIRD) }, async () => {
    const third = account(THIRD)!
    const theirs = path.join(folder, 'theirs')
    const below = path.join(theirs, 'below')
    makeFolder(theirs)
    makeFolder(below)
    const file = path.join(below, name)
    fs.renameSync(config(root), file)
    fs.chownSync(theirs, third.uid, third.gid)
    assertEnded(
      await shoalRun(root, file),
      77,
      /can be exchanged by other users: .*theirs belongs to another/,
    )
  })

  it('gives a user who wrote the file itself no group and no precedence of its own', async () => {
    const grouped = config(root, { name: `a.${OTHER}.adm.conf`, owner: other })
    assertEnded(await shoalRun(root, grouped), 77, /www-data is not in the group adm, and the configuration/)
    const nice = config(root, { name, comment: '// DAEMON_NICE=-5', owner: other })
    assertEnded(await shoalRun(root, nice), 77, /a niceness below 0 is root's to give/)
    for (const mine of [{ name: `b.${OTHER}.adm.conf` }, { name, comment: '// DAEMON_NICE=-5' }])
      assertEnded(await shoalRun(root, config(root, mine)), 78, ACCEPTED)
  })

  it('makes the storage path where only root can, on the word of root alone', async () => {
    const store = path.join(folder, 'store')
    await shoalRun(root, config(root, { name, owner: other }))
    assert.equal(fs.existsSync(store), false)
    assertEnded(await shoalRun(root, config(root, { name })), 78, ACCEPTED)
    const { uid, gid, mode } = fs.lstatSync(store)
    assert.deepEqual([uid, gid, mode & 0o7777], [other!.uid, other!.gid, 0o700])
  })

  it('says why it does not make a storage path, and so does check', async () => {
    const own = config(root, { name, owner: other })
    const fresh = (
      await runToEnd(process.execPath, commandArgs(['secret', 'new', '--grade', 'write']))
    ).out.trim()
    const write = (storage: string): void =>
      fs.writeFileSync(
        own,
        JSON.stringify({
          ...{ storage_path: storage, listen_host: '127.0.0.1' },
          shared_folders: [{ secret: fresh, dir: 'share', search_lan: false }],
        }),
      )
    const check = (): Promise<Ended> => runToEnd(process.execPath, commandArgs(['check', own]))
    write('store')
    const why =
      /store is missing, and www-data has no right to make it in .* \(root makes it only for a configuration that is root's, not one that www-data could have written\): install -d -o www-data -m 700 .*store$/m
    assertEnded(await shoalRun(root, own), 74, why)
    assert.match((await check()).out, why)
    // Where it can, it is let.
    const theirs = path.join(folder, 'theirs')
    makeFolder(theirs)
    fs.chownSync(theirs, other!.uid, other!.gid)
    write('theirs/store')
    assert.doesNotMatch((await check()).out, /error/)
    // A file of root's, and a way that is not.
    fs.chownSync(own, 0, 0)
    write('store')
    assert.doesNotMatch((await check()).out, /error/)
    fs.symlinkSync(folder, path.join(folder, 'way'))
    write('way/store')
    const way = /\(root makes it only where all folders above are root's, without links\): install -d/
    assertEnded(await shoalRun(root, own), 74, way)
    assert.match((await check()).out, way)
    assert.equal(fs.existsSync(path.join(folder, 'store')), false)
  })

  it('makes nothing as root where the user could put something in the way', async () => {
    const theirs = path.join(folder, 'theirs')
    const aim = path.join(folder, 'aim')
    makeFolder(theirs)
    makeFolder(aim)
    fs.chownSync(theirs, other!.uid, other!.gid)
    fs.symlinkSync(aim, path.join(theirs, 'way'))
    const text = JSON.stringify({ storage_path: 'theirs/way/store', shared_folders: [{ secret: 'x' }] })
    const file = config(root, { name })
    fs.writeFileSync(file, text)
    assert.equal((await shoalRun(root, file)).exit, 78)
    assert.deepEqual(fs.readdirSync(aim), [])
  })

  it('says of a storage path that its user cannot list that it is of no use', async () => {
    const store = path.join(folder, 'store')
    fs.mkdirSync(store, { mode: 0 })
    fs.chownSync(store, other!.uid, other!.gid)
    const ended = await shoalRun(root, config(root, { name }))
    assert.deepEqual([ended.exit, ended.out], [74, ''])
    assert.match(ended.err, /^cannot use storage path .*store: permission denied$/m)
  })

  it('is not held up by a pipe that nobody writes', async () => {
    const pipe = path.join(folder, name)
    assert.equal((await runToEnd('mkfifo', [pipe])).exit, 0)
    fs.chownSync(pipe, other!.uid, other!.gid)
    assertEnded(await shoalRun(root, pipe), 77, /is no regular file, expected one/)
  })

  it('reads the files of secrets as the user, not as root (D3)', async () => {
    fs.writeFileSync(path.join(folder, 'key'), 'no secret', { mode: 0o600 })
    const file = config(root, { name, secret: { file: 'key' } })
    assertEnded(await shoalRun(root, file), 78, /secret: cannot read .*key: permission denied/)
  })

  it('refuses to run where the drop is not whole (D2)', async (test) => {
    const file = config(root, { name })
    // With this bit the kernel leaves root's capabilities to whoever root becomes.
    const held = ['--securebits', '+no_setuid_fixup', process.execPath, ...commandArgs(['run', file])]
    const ended = await runToEnd('setpriv', held).catch(() => undefined)
    if (ended === undefined) return test.skip('needs setpriv')
    assertEnded(ended, 77, /thread \d+ could not be made to run as www-data/)
    const ring = await shoalRun(root, file, { UV_USE_IO_URING: '1' })
    assert.equal(ring.exit === 77 || ACCEPTED.test(ring.err), true, ring.err)
  })
})
