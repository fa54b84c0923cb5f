import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { mock, test } from 'node:test'
import type { ShareId } from '../../../src/core/ids.js'
import { ShareMeta } from '../../../src/daemon/share/meta.js'
import { ShareRoot } from '../../../src/daemon/share/root.js'
import { MemoryDatabase } from '../../../src/store/memory.js'

test('A4: of what an earlier run staged, only files without a name in the tree are kept', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-root-'))
  try {
    const meta = new ShareMeta(new MemoryDatabase(), 'x-')
    const root = new ShareRoot(dir, 'ab'.repeat(32) as ShareId, meta, () => 1000)
    assert.equal(root.prepare(), undefined)
    const staging = path.join(dir, '.shoal/staging')
    const [kept, named] = ['1'.repeat(32), '2'.repeat(32)]
    for (const name of [kept, named, 'no-token']) fs.writeFileSync(path.join(staging, name), name)
    fs.linkSync(path.join(staging, named), path.join(dir, 'file'))
    assert.deepEqual(root.leftovers(), [kept])
    assert.deepEqual(fs.readdirSync(staging), [kept])
    assert.equal(fs.readFileSync(path.join(dir, 'file'), 'utf8'), named)
  } finally {
    fs.rmSync(dir, { recursive: true })
  }
})

for (const code of ['EMFILE', 'ENFILE'])
  test(`A5: want of descriptors (${code}) is no reason to halt: it waits until it can look`, async (t) => {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-root-'))
    t.after(() => fs.rmSync(dir, { recursive: true }))
    const meta = new ShareMeta(new MemoryDatabase(), 'x-')
    const root = new ShareRoot(dir, 'ab'.repeat(32) as ShareId, meta, () => 1000)
    assert.equal(root.prepare(), undefined)
    const told: string[] = []
    const events = { isStopped: () => false, onShort: (each: string) => void told.push(each) }
    const openSync = fs.openSync as (...args: unknown[]) => number
    let refused = 0
    mock.method(fs, 'openSync', (...args: unknown[]) => {
      if (refused++ < 2) throw Object.assign(new Error(`${code}: too many open files`), { code })
      return openSync(...args)
    })
    t.after(() => mock.restoreAll())
    assert.equal(await root.fault(events), undefined)
    assert.ok(told.length > 0 && told.every((each) => each === code))
    refused = 0
    assert.throws(() => root.prepare(), /as many open files as it may|machine has as many/)
    refused = Number.NEGATIVE_INFINITY
    assert.match((await root.fault({ ...events, isStopped: () => true }))!, /open files/)
  })
