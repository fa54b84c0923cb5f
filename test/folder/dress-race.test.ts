// A local user who owns a directory of a share, or its root, against a daemon that runs as root: nothing outside is
// changed (A1), and nobody gets a file that is another's with a content of his own.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import type { RelPath } from '../../src/core/path.js'
import type { CommitJob } from '../../src/folder/commit-job.js'
import { prepareOwnDir } from '../../src/folder/marker.js'
import { NEEDS_ROOT } from '../support/privileges.js'
import { ALL, NEEDS_ATTRIBUTES, NOBODY } from './attribute-kit.js'
import { path, Share, token } from './commit-kit.js'
import { ALICE, DRESS, done, dressed, owner, stageFile, TIME_US } from './dress-kit.js'

const ROUNDS = 6000
/** On a machine that is busy with other things, as many as there is time for, but until each kind of job came through. */
const LONG_MS = 60_000
const TYPES = ['file', 'mkdir', 'symlink', 'metadata']

/** Puts one thing after another at two names of its working directory: files, directories, symlinks to the arguments. */
const ATTACKER = `
const fs = require('node:fs')
const [file, directory] = process.argv.slice(1)
const things = [
  (at) => fs.writeFileSync(at, 'mine'),
  (at) => fs.symlinkSync(file, at),
  (at) => fs.mkdirSync(at),
  (at) => fs.symlinkSync(directory, at),
]
const attempt = (call) => { try { call(); return true } catch { return false } }
process.stdout.write('ready')
for (let i = 0; ; i++) {
  for (const at of ['x', 'sub']) {
    const old = 'old' + i
    attempt(() => fs.renameSync(at, old))
    attempt(() => things[i % things.length](at))
    attempt(() => fs.unlinkSync(old)) || attempt(() => fs.rmdirSync(old))
  }
}
`

test('A1: who swaps names in a directory of theirs has nothing of others changed', {
  skip: NEEDS_ROOT || NEEDS_ATTRIBUTES,
}, async () => {
  const share = new Share()
  const outside = new Share()
  share.scope = ALL
  outside.write('dir/y', 'theirs')
  outside.write('file', 'theirs')
  const victims = ['file', 'dir', 'dir/y']
  for (const each of victims) fs.chmodSync(outside.at(each), 0o700)
  // But for when it was read last: whoever looks through the machine's files reads them.
  const look = (): unknown =>
    victims.map((each) => {
      const { atime, atimeMs, atimeNs, ...stat } = fs.lstatSync(outside.at(each), { bigint: true })
      return stat
    })
  const before = look()
  fs.mkdirSync(share.at('d'))
  fs.chownSync(share.at('d'), NOBODY, NOBODY)
  const child = spawn(process.execPath, ['-e', ATTACKER, outside.at('file'), outside.at('dir')], {
    cwd: share.at('d'),
    uid: NOBODY,
    gid: NOBODY,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const closed = once(child, 'close')
  try {
    await Promise.race([once(child.stdout!, 'data'), closed])
    const startMs = performance.now()
    const ends = new Map<string, number>()
    const isThrough = (type: string): boolean => (ends.get(`${type} done`) ?? 0) > 0
    for (let round = 0; round < 10 * ROUNDS; round++) {
      const isLong = round >= ROUNDS || performance.now() - startMs > LONG_MS
      if (isLong && TYPES.every(isThrough)) break
      const at = path(['d/x', 'd/sub/y', 'd/sub'][Math.floor(round / JOBS.length) % 3]!)
      let job: CommitJob
      try {
        job = JOBS[round % JOBS.length]!(share, at)
      } catch {
        // Gone between two looks.
        continue
      }
      const { status } = share.commitOne(job, {}, round % 2 === 0)
      ends.set(`${job.type} ${status}`, (ends.get(`${job.type} ${status}`) ?? 0) + 1)
    }
    assert.deepEqual(look(), before)
    for (const type of TYPES)
      assert.ok(isThrough(type), `no ${type} came through: ${JSON.stringify([...ends])}`)
    assert.equal(child.exitCode, null)
  } finally {
    child.kill('SIGKILL')
    await closed
    share.remove()
    outside.remove()
  }
})

/** What the index expects is what the last look saw, perhaps through a symlink. */
const JOBS: readonly ((share: Share, at: RelPath) => CommitJob)[] = [
  (share, at) => share.fileJob(at, 'new', { mode: 0o777, dress: DRESS }),
  (share, at) => ({ ...META, type: 'metadata', path: at, expect: share.expect(at) }),
  (share, at) => ({ type: 'remove', path: at, expect: share.expect(at) }),
  (share, at) => ({ type: 'mkdir', path: at, mode: 0o777, dress: DRESS, expect: share.expect(at) }),
  (_, at) => ({ ...META, type: 'directory', path: at }),
  (share, at) => ({ type: 'remove', path: at, expect: share.expect(at) }),
  (share, at) => ({ type: 'mkdir', path: at, mode: 0o777, expect: share.expect(at) }),
  (share, at) => ({ type: 'remove', path: at, expect: share.expect(at) }),
  (share, at) => ({
    ...{ type: 'symlink', path: at, target: 'there', mtimeUs: TIME_US },
    ...{ dress: { uid: ALICE, gid: ALICE }, expect: share.expect(at) },
  }),
]
const META = { mode: 0o777, mtimeUs: TIME_US, dress: DRESS }

dressed('what somebody puts in the place of a staged file does not become a file of root', (share) => {
  const mode = 0o4755
  const dress = { uid: 0, gid: 0 }
  const staged = stageFile(share, { mode, mtimeUs: TIME_US, dress })
  const at = share.at(`.shoal/staging/${token(1)}`)
  const job: CommitJob = {
    ...{ type: 'file', path: path('f'), token: token(1), size: 0, mode, mtimeUs: TIME_US },
    ...{ dress, expect: { type: 'absent' } },
  }
  fs.renameSync(at, `${at}.away`)
  fs.writeFileSync(at, '')
  fs.chownSync(at, NOBODY, NOBODY)
  for (const each of [{ ...job, staged }, job]) {
    const result = share.commitOne(each)
    assert.deepEqual([result.status, 'code' in result && result.code], ['failed', 'STAGED_UNUSABLE'])
    assert.ok(!share.exists('f'))
  }
  // The very one is taken, also when nobody remembers it.
  fs.renameSync(`${at}.away`, at)
  done(share.commitOne(job))
  assert.deepEqual([owner(share, 'f'), share.stat('f').mode], [[0, 0], mode])
})

test('an own directory that a user has made is root’s, once root uses it', { skip: NEEDS_ROOT }, () => {
  const share = new Share()
  try {
    for (const each of ['.shoal', '.shoal/staging', '.shoal/archive']) {
      fs.chownSync(share.at(each), NOBODY, NOBODY)
      fs.chmodSync(share.at(each), 0o755)
    }
    prepareOwnDir(share.root)
    for (const each of ['.shoal', '.shoal/staging', '.shoal/archive'])
      assert.deepEqual([owner(share, each), share.stat(each).mode], [[0, process.getegid!()], 0o700], each)
  } finally {
    share.remove()
  }
})
