// Run as somebody who is not root (see commit-unlock.test.ts), in a directory that is theirs: commits inside directories
// that may not be written, or even searched. Fails with an assertion, and so with an exit code.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import type { CommitJob } from '../../src/folder/commit-job.js'
import { path, Share } from './commit-kit.js'

const share = new Share()
const locked: [string, number][] = [
  ['a', 0o555],
  ['a/b', 0o500],
  ['a/b/c', 0o000],
]

function lock(): void {
  for (const [name, mode] of [...locked].reverse()) fs.chmodSync(share.at(name), mode)
}

function unlock(): void {
  for (const [name] of locked) fs.chmodSync(share.at(name), 0o700)
}

function modes(): void {
  for (const [name, mode] of locked) {
    assert.equal(share.stat(name).mode, mode, name)
    fs.chmodSync(share.at(name), 0o700)
  }
  lock()
}

/** Plans with the directories open, commits with them locked. */
function run(plan: () => CommitJob, without: ('exchange' | 'link')[] = []): void {
  unlock()
  const job = plan()
  lock()
  const result = share.commitOne(job, { without })
  assert.equal(result.status, 'done', `${job.type} ${JSON.stringify(result)}`)
  modes()
}

try {
  assert.notEqual(process.geteuid?.(), 0)
  fs.mkdirSync(share.at('a/b/c'), { recursive: true })
  for (const without of [[], ['exchange'], ['link'], ['exchange', 'link']] as ('exchange' | 'link')[][]) {
    run(() => share.fileJob('a/b/c/file', 'new', { mode: 0o400 }), without)
    run(() => share.fileJob('a/b/c/file', 'newer', { mode: 0o444 }), without)
    run(() => ({ type: 'remove', path: path('a/b/c/file'), expect: share.expect('a/b/c/file') }), without)
    run(() => share.fileJob('a/file', 'new', { mode: 0o000 }), without)
    run(() => {
      fs.rmSync(share.at('a/file'))
      return {
        type: 'symlink',
        path: path('a/file'),
        target: 't',
        mtimeUs: 0,
        expect: share.expect('a/file'),
      }
    }, without)
    run(() => ({ type: 'remove', path: path('a/file'), expect: share.expect('a/file') }), without)
  }
  run(() => ({ type: 'mkdir', path: path('a/b/c/d'), mode: 0o555, expect: { type: 'absent' } }))
  run(() => ({ type: 'directory', path: path('a/b/c/d'), mode: 0o511, mtimeUs: 5 }))
  run(() => ({ type: 'remove', path: path('a/b/c/d'), expect: share.expect('a/b/c/d') }))
  run(() => share.fileJob('a/b/c/mine', 'mine'))
  run(() => ({
    type: 'displace',
    path: path('a/b/c/mine'),
    to: path('a/moved'),
    expect: share.expect('a/b/c/mine'),
  }))
  // A staged file whose mode an earlier attempt has set, and which its owner may not read now.
  unlock()
  const job = share.fileJob('a/unreadable', 'x', { mode: 0o000 })
  fs.chmodSync(share.at('.shoal/staging/00000000000000000000000000000001'), 0o000)
  lock()
  assert.equal(share.commitOne(job).status, 'done')
  assert.equal(share.commitOne({ ...job, path: path('a/b/again') } as CommitJob).status, 'failed')
  // Somebody else's directory stays as it is.
  const theirs = process.argv[2]
  if (theirs !== undefined) {
    const foreign = {
      type: 'mkdir',
      path: path('locked/x'),
      mode: 0o755,
      expect: { type: 'absent' },
    } as const
    const other = new Share(theirs)
    const result = other.commitOne(foreign)
    assert.deepEqual([result.status, (result as { code: string }).code], ['failed', 'EACCES'])
  }
} finally {
  unlock()
  share.remove()
}
