// The stat value: type from st_mode, comparison (A3), microseconds, and packing that loses nothing.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type DiskStat,
  mtimeUsOf,
  packedTypeAt,
  packStat,
  STAT_FIELDS,
  type StatLike,
  sameStat,
  statOf,
  unpackStat,
} from '../../src/core/stat.js'
import { keepsNanoseconds, utimesTime } from '../../src/folder/utimes.js'

const FORMATS = { file: 0o100000, directory: 0o040000, symlink: 0o120000, other: 0o010000 } as const

const rawStat: fc.Arbitrary<StatLike> = fc.record({
  mode: fc
    .tuple(fc.constantFrom(...Object.values(FORMATS)), fc.integer({ min: 0, max: 0o7777 }))
    .map(([format, bits]) => format | bits),
  size: fc.nat(),
  mtimeMs: fc.double({ noNaN: true, min: -1e13, max: 1e13 }),
  ctimeMs: fc.double({ noNaN: true, min: -1e13, max: 1e13 }),
  ino: fc.maxSafeNat(),
  dev: fc.nat(),
  nlink: fc.nat(),
  uid: fc.nat(),
  gid: fc.nat(),
})

test('a packed stat unpacks to the same stat', () => {
  fc.assert(
    fc.property(fc.array(rawStat, { maxLength: 5 }), (raws) => {
      const packed = new Float64Array(raws.length * STAT_FIELDS)
      for (const [index, raw] of raws.entries()) packStat(packed, index, raw)
      for (const [index, raw] of raws.entries()) {
        assert.deepEqual(unpackStat(packed, index), statOf(raw))
        assert.equal(packedTypeAt(packed, index), statOf(raw).type)
        packStat(packed, index, statOf(raw))
        assert.deepEqual(unpackStat(packed, index), statOf(raw))
      }
      assert.throws(() => unpackStat(packed, raws.length), RangeError)
      assert.throws(() => unpackStat(packed, -1), RangeError)
    }),
  )
})

test('A3: any of type, mode, size, mtime, ctime, inode and owner makes a stat another one; dev and nlink do not', () => {
  const stat: DiskStat = {
    type: 'file',
    mode: 0o644,
    size: 1,
    mtimeMs: 2,
    ctimeMs: 3,
    ino: 4,
    dev: 5,
    nlink: 1,
    uid: 0,
    gid: 0,
  }
  assert.equal(sameStat(stat, { ...stat }), true)
  assert.equal(sameStat(stat, { ...stat, dev: 6, nlink: 2 }), true)
  const changes: Partial<DiskStat>[] = [
    { type: 'symlink' },
    { mode: 0o600 },
    { size: 2 },
    { mtimeMs: 2.001 },
    { ctimeMs: 3.001 },
    { ino: 5 },
    { uid: 1 },
    { gid: 1 },
  ]
  for (const change of changes) assert.equal(sameStat(stat, { ...stat, ...change }), false)
})

test('the types and microsecond times of real paths', () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-stat-'))
  try {
    const file = path.join(root, 'file')
    fs.writeFileSync(file, 'x')
    fs.chmodSync(file, 0o4751)
    for (const us of [0, -1, 1, -1_500_001, -1_000_000, 1_700_000_000_123_457, 4_102_444_800_000_001]) {
      fs.utimesSync(file, 1, utimesTime(us))
      assert.equal(mtimeUsOf(statOf(fs.lstatSync(file))), us)
    }
    const stat = statOf(fs.lstatSync(file))
    assert.deepEqual([stat.type, stat.mode, stat.size], ['file', 0o4751, 1])
    fs.symlinkSync('file', path.join(root, 'link'))
    assert.equal(statOf(fs.lstatSync(path.join(root, 'link'))).type, 'symlink')
    assert.equal(statOf(fs.lstatSync(root)).type, 'directory')
  } finally {
    fs.rmSync(root, { recursive: true })
  }
})

test('libuv keeps nanoseconds from 1.52 on', () => {
  const versions = ['1.46.0', '1.51.0', '1.52.0', '1.52.1', '1.100.0', '2.0.0', '0.60.0']
  assert.deepEqual(versions.map(keepsNanoseconds), [false, false, true, true, true, true, false])
})
