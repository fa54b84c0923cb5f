// The probes against real folders, ports and files of this test: a few of each kind, since all that is decided is decided
// by the checks.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { lockStorage } from '../../src/daemon/lock.js'
import { fileSystemFacts } from '../../src/doctor/probes/file-system.js'
import {
  countDirectories,
  folderFacts,
  leftoverFacts,
  oldPreviews,
  spaceFacts,
  storageFacts,
} from '../../src/doctor/probes/folders.js'
import {
  descriptorLimit,
  descriptorsOf,
  holderOf,
  inotifyUse,
  isLocked,
  listeners,
  mountOf,
} from '../../src/doctor/probes/kernel.js'
import { hostResult, portState } from '../../src/doctor/probes/network.js'
import { prepareOwnDir } from '../../src/folder/marker.js'

const HOUR_MS = 3_600_000
let scratch: string
before(() => {
  scratch = fs.mkdtempSync(join(tmpdir(), 'shoal-doctor-'))
})
after(() => fs.rmSync(scratch, { recursive: true }))

function folder(name: string): string {
  const path = join(scratch, name)
  fs.mkdirSync(path, { recursive: true })
  return path
}

describe('folders', () => {
  it('there, missing, and no folder', () => {
    const file = join(folder('kinds'), 'file')
    fs.writeFileSync(file, '')
    assert.deepEqual(folderFacts(join(scratch, 'kinds')).state, 'there')
    assert.deepEqual(folderFacts(join(scratch, 'none')).state, 'missing')
    assert.deepEqual(folderFacts(file).state, 'no-folder')
    assert.deepEqual(folderFacts(join(file, 'below')).state, 'no-folder')
  })

  it('may not be written', (t) => {
    if (process.geteuid?.() === 0) return t.skip('root may write everywhere')
    const path = folder('closed')
    fs.chmodSync(path, 0o500)
    assert.deepEqual(folderFacts(path), { path, state: 'there', mayRead: true, mayWrite: false })
    fs.chmodSync(path, 0o700)
  })

  it('a storage: what others can read, and what a crash has left', () => {
    const path = folder('storage')
    fs.chmodSync(path, 0o700)
    const identity = join(path, 'identity.json')
    fs.writeFileSync(identity, '{}', { mode: 0o600 })
    assert.deepEqual(storageFacts(path, Date.now()).exposed, [])
    fs.chmodSync(identity, 0o640)
    fs.writeFileSync(`${identity}.new`, '')
    const facts = storageFacts(path, Date.now() + 2 * HOUR_MS)
    assert.deepEqual(facts.exposed, [{ path: identity, mode: 0o640 }])
    assert.deepEqual(facts.halfWritten, [`${identity}.new`])
    assert.deepEqual(storageFacts(path, Date.now()).halfWritten, [], 'one that is just being written')
  })

  it('what lies in the staging area', () => {
    const dir = folder('staged')
    prepareOwnDir(dir)
    const staging = join(dir, '.shoal/staging')
    fs.writeFileSync(join(staging, 'a'.repeat(32)), 'half a file')
    fs.writeFileSync(join(staging, 'held-1-2-3'), 'an edit')
    fs.writeFileSync(join(staging, 'held-1-2-4'), '')
    const facts = leftoverFacts(dir, Date.now() + HOUR_MS)
    assert.deepEqual([facts.staged, facts.stagedBytes, facts.held, facts.recovered], [1, 11, 1, 0])
    assert.ok(facts.oldestMs! >= HOUR_MS - 1000)
  })

  it('what a file system can do is tried in our own folder, and leaves nothing', () => {
    const dir = folder('tried')
    const wants = { acls: true, xattrs: true }
    assert.equal(fileSystemFacts(dir, wants).freeRename, undefined, 'not tried where nothing is ours')
    assert.deepEqual(fs.readdirSync(dir), [])
    prepareOwnDir(dir)
    const facts = fileSystemFacts(dir, wants)
    assert.deepEqual([facts.hardLinks, facts.tellsCase, facts.isReadOnly], [true, true, false])
    assert.equal(typeof facts.freeRename, 'boolean')
    assert.deepEqual(fs.readdirSync(join(dir, '.shoal/staging')), [])
    assert.ok(facts.type !== undefined)
  })

  it('a staging area that is a link is left alone', () => {
    const dir = folder('linked')
    const other = folder('other')
    fs.mkdirSync(join(dir, '.shoal'))
    fs.symlinkSync(other, join(dir, '.shoal/staging'))
    assert.equal(fileSystemFacts(dir, { acls: false, xattrs: false }).hardLinks, undefined)
  })

  it('room, also of a folder that is not there yet', () => {
    const facts = spaceFacts(join(scratch, 'not', 'there'))!
    assert.ok(facts.freeBytes <= facts.totalBytes && facts.totalBytes > 0)
    assert.equal(facts.device, fs.statSync(scratch).dev)
  })

  it('counts directories, not ours, and no more than it is told', async () => {
    const dir = folder('count')
    for (const path of ['a/b', 'c', '.shoal/staging']) fs.mkdirSync(join(dir, path), { recursive: true })
    assert.deepEqual(await countDirectories([dir], 100, () => {}), { directories: 4, isMore: false })
    assert.deepEqual(await countDirectories([dir], 2, () => {}), { directories: 2, isMore: true })
  })

  it('previews that were killed', () => {
    const path = folder('shoal-preview-aB3xYz')
    // Everybody may choose names in /tmp.
    folder('shoal-preview-; id #')
    fs.writeFileSync(join(scratch, 'shoal-preview-123456'), '')
    const uid = process.geteuid?.() ?? 0
    assert.deepEqual(oldPreviews(scratch, uid, Date.now() + 48 * HOUR_MS), [path])
    assert.deepEqual(oldPreviews(scratch, uid, Date.now()), [])
  })
})

describe('the kernel', () => {
  it('limits and open files of a process', () => {
    assert.ok(descriptorLimit('self')! > 0)
    assert.ok(descriptorsOf(process.pid)! > 2)
    assert.equal(descriptorsOf(2 ** 30), undefined)
  })

  it('the mount of a folder', () => {
    const mount = mountOf('/proc')
    assert.equal(mount?.type, 'proc')
    assert.equal(mountOf(join(scratch, 'none')), undefined)
  })

  it('watches, of others only', () => {
    const watch = fs.watch(scratch)
    try {
      const uid = process.geteuid?.() ?? 0
      const [all, others] = [inotifyUse(uid, undefined), inotifyUse(uid, process.pid)]
      assert.ok(all.watches > others.watches && all.instances > others.instances)
    } finally {
      watch.close()
    }
  })

  it('who has locked a storage', () => {
    const path = folder('locked')
    const lock = lockStorage(path)
    try {
      assert.equal(isLocked(join(path, 'lock')), true)
    } finally {
      lock.release()
    }
    assert.equal(isLocked(join(path, 'lock')), false)
    assert.equal(isLocked(join(path, 'none')), false)
  })
})

describe('the network', () => {
  let server: net.Server
  let port: number
  before(async () => {
    server = net.createServer((socket) => socket.destroy())
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  after(() => server.close())

  it('a port that is taken, and by whom', async () => {
    const state = await portState(port, '127.0.0.1', undefined)
    assert.equal(state.type, 'taken')
    assert.equal(holderOf(listeners(port))?.pid, process.pid)
    assert.ok('by' in state && state.by?.includes(`(process ${process.pid})`))
  })

  it("a port that is the daemon's, and one that another has", async () => {
    assert.deepEqual(await portState(port, '127.0.0.1', process.pid), { type: 'ours' })
    assert.equal((await portState(port, '127.0.0.1', 2 ** 30)).type, 'not-ours')
  })

  it('an address that is not of this machine', async () => {
    assert.deepEqual(await portState(port, '192.0.2.1', undefined), { type: 'no-address' })
    assert.deepEqual(await portState(0, undefined, undefined), { type: 'any' })
  })

  it('somebody answers, is connected already, or does not', async () => {
    const at = (text: string, here: number) =>
      hostResult({ host: '127.0.0.1', port: here }, text, new Set(['member:1']))
    assert.equal((await at('a', port)).type, 'connected')
    assert.equal((await at('member:1', port)).type, 'member')
    const closed = net.createServer()
    await new Promise<void>((resolve) => closed.listen(0, '127.0.0.1', resolve))
    const { port: gone } = closed.address() as AddressInfo
    await new Promise((resolve) => closed.close(resolve))
    assert.deepEqual(await at('b', gone), { type: 'failed', code: 'ECONNREFUSED' })
  })
})
