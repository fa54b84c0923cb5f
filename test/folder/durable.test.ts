import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import { Durability, FEW, systemSyncCalls } from '../../src/folder/durable.js'
import { SafeRoot } from '../../src/folder/safefs.js'
import { Share } from './commit-kit.js'

let share: Share
let root: SafeRoot

beforeEach(() => {
  share = new Share()
  root = new SafeRoot(share.root)
})

afterEach(() => {
  root.close()
  share.remove()
})

/** Counts, and fails as told. */
function fake(options: { fsync?: string; everything?: boolean } = {}) {
  const log: string[] = []
  return {
    log,
    fsync: (fd: number): void => {
      log.push(fs.readlinkSync(`/proc/self/fd/${fd}`).slice(share.root.length + 1))
      if (options.fsync !== undefined)
        throw Object.assign(new Error(`${options.fsync}: no, fsync`), { code: options.fsync })
    },
    syncFileSystem: (): boolean => {
      log.push('everything')
      return options.everything ?? true
    },
  }
}

test('A4: the real calls work here', (context) => {
  const fd = root.openDirectory('.shoal')
  systemSyncCalls.fsync(fd)
  fs.closeSync(fd)
  if (!systemSyncCalls.syncFileSystem(root.directory('.shoal'))) context.diagnostic('no sync -f here')
  assert.equal(new Durability(root, '.shoal').settle(new Set(['.shoal']), new Set()), undefined)
})

test('A4: a few are synced one by one, many at once', () => {
  share.write('d/f', '')
  const calls = fake()
  const durability = new Durability(root, '.shoal', calls)
  assert.equal(durability.settle(new Set(['', 'd']), new Set(['d/f'])), undefined)
  assert.deepEqual(calls.log.splice(0), ['', 'd', 'd/f'])
  const many = new Set(Array.from({ length: FEW + 1 }, (_, i) => `d${i}`))
  assert.equal(durability.settle(many, new Set()), undefined)
  assert.deepEqual(calls.log, ['everything'])
})

test('A4: without sync -f many are synced one by one', () => {
  const calls = fake({ everything: false })
  const many = Array.from({ length: FEW + 1 }, (_, i) => `d${i}`)
  for (const name of many) fs.mkdirSync(share.at(name))
  assert.equal(new Durability(root, '.shoal', calls).settle(new Set(many), new Set()), undefined)
  assert.deepEqual(calls.log, ['everything', ...many])
})

test('A4: an error of the disk is a fault; what is gone, or needs no sync, is not', () => {
  share.write('f', '')
  const gone = new Set(['none', 'none/deeper', 'f/x'])
  assert.equal(new Durability(root, '.shoal', fake()).settle(gone, gone), undefined)
  const broken = new Durability(root, '.shoal', fake({ fsync: 'EIO' }))
  assert.deepEqual(broken.settle(new Set(['.shoal']), new Set()), { code: 'EIO', detail: 'EIO: no' })
  const network = new Durability(root, '.shoal', fake({ fsync: 'EINVAL' }))
  assert.equal(network.settle(new Set(['.shoal']), new Set()), undefined)
  assert.equal(network.settle(new Set(), new Set(['f']))?.code, 'EINVAL')
})

test('A4: the time of a symlink is made durable with everything', () => {
  fs.symlinkSync('x', share.at('link'))
  const calls = fake()
  assert.equal(new Durability(root, '.shoal', calls).settle(new Set(), new Set(['link'])), undefined)
  assert.deepEqual(calls.log, ['everything'])
  const none = new Durability(root, '.shoal', fake({ everything: false }))
  assert.equal(none.settle(new Set(), new Set(['link']))?.code, 'ELOOP')
})
