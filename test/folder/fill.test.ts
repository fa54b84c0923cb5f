// Filling a new folder: verified content under new names, nothing replaced or followed, and what a kill leaves is known.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { RelPath } from '../../src/core/path.js'
import { type PieceKeys, pieceIdOf, sealPiece } from '../../src/core/piece.js'
import { fill } from '../../src/folder/fill.js'
import {
  type FillFault,
  type FillFile,
  type FillStep,
  fillPayload,
  PART_NUMBERS,
  packFiles,
} from '../../src/folder/fill-job.js'
import { prepareOwnDir } from '../../src/folder/marker.js'
import { removeTorn } from '../../src/folder/torn.js'
import { TORN_MODE } from '../../src/folder/torn-mode.js'

const keys: PieceKeys = { sivKey: Buffer.alloc(32, 1), pieceKey: Buffer.alloc(32, 2) }
const MTIME_US = 1_600_000_000_123_456
const TOKEN = 'ab'.repeat(16)
const at = (text: string): RelPath => text as RelPath

interface Wish {
  readonly path: string
  readonly pieces: readonly Buffer[]
  readonly change?: Partial<FillFile>
}

describe('filling a new folder', () => {
  let base: string
  let root: string
  let pack: string
  beforeEach(() => {
    base = fs.mkdtempSync(path.join(tmpdir(), 'shoal-fill-'))
    root = path.join(base, 'root')
    pack = path.join(base, 'pack')
    fs.mkdirSync(root)
    prepareOwnDir(root)
  })
  afterEach(() => fs.rmSync(base, { recursive: true, force: true }))

  function run(step: FillStep): readonly FillFault[] {
    const { dev, ino } = fs.statSync(root)
    return fill(fillPayload(root, { dev, ino }, keys, step)).faults
  }

  /** The pieces of all files one after the other in a pack, with `damage` done to it. */
  function files(wishes: readonly Wish[], damage: (pack: Buffer) => void = () => undefined): FillStep {
    const sealed = wishes.flatMap(({ pieces }) => pieces.map((piece) => sealPiece(keys, piece)))
    const parts = new Float64Array(sealed.length * PART_NUMBERS)
    const ids = new Uint8Array(sealed.length * 32)
    let offset = 0
    for (const [i, piece] of sealed.entries()) {
      parts.set([0, offset, piece.length, -1], i * PART_NUMBERS)
      ids.set(pieceIdOf(piece), i * 32)
      offset += piece.length
    }
    const all = Buffer.concat(sealed)
    damage(all)
    fs.writeFileSync(pack, all)
    return {
      type: 'files',
      files: packFiles(
        wishes.map(({ path: name, pieces, change }) => ({
          ...{ path: at(name), mode: 0o640, mtimeUs: MTIME_US, parts: pieces.length, at: 0 },
          size: pieces.reduce((sum, piece) => sum + piece.length, 0),
          ...change,
        })),
      ),
      spans: [{ file: pack, offset: 0, length: offset }],
      ...{ parts, ids, sparse: true },
    }
  }

  it('writes files of one piece, of several and of none, with mode and time to the microsecond', () => {
    assert.deepEqual(run({ type: 'directories', paths: [at('a'), at('a/b')] }), [])
    const step = files([
      { path: 'a/b/one', pieces: [Buffer.from('one')] },
      { path: 'two', pieces: [Buffer.from('first '), Buffer.from('second')] },
      { path: 'none', pieces: [] },
    ])
    assert.deepEqual(run(step), [])
    assert.equal(fs.readFileSync(path.join(root, 'a/b/one'), 'utf8'), 'one')
    assert.equal(fs.readFileSync(path.join(root, 'two'), 'utf8'), 'first second')
    for (const name of ['a/b/one', 'two', 'none']) {
      const { mode, mtimeNs } = fs.statSync(path.join(root, name), { bigint: true })
      assert.deepEqual([Number(mode) & 0o7777, mtimeNs / 1000n], [0o640, BigInt(MTIME_US)])
    }
    const directories = [at('a/b'), at('a')].map((each) => ({ path: each, mode: 0o750, mtimeUs: MTIME_US }))
    assert.deepEqual(run({ type: 'end', directories }), [])
    assert.equal(fs.statSync(path.join(root, 'a')).mode & 0o7777, 0o750)
    const made = packFiles([{ path: at('two'), size: 12, mtimeUs: MTIME_US, mode: 0o640, parts: 2, at: 0 }])
    assert.deepEqual(run({ type: 'look', files: made }), [])
    fs.appendFileSync(path.join(root, 'two'), '!')
    assert.deepEqual(
      run({ type: 'look', files: made }).map(({ code }) => code),
      ['CHANGED'],
    )
  })

  it('of a piece that is damaged or cannot be read its file gets no name, and the others do', () => {
    const wishes = ['one', 'two', 'three'].map((name) => ({ path: name, pieces: [Buffer.from(name)] }))
    const faults = run(files(wishes, (bytes) => bytes.set([bytes[30]! ^ 1], 30)))
    assert.deepEqual(
      faults.map(({ at: number, code }) => [number, code]),
      [[1, 'NO_PIECES']],
    )
    assert.deepEqual(fs.readdirSync(root).sort(), ['.shoal', 'one', 'three'])
    const gone = files([{ path: 'four', pieces: [Buffer.from('four')] }])
    fs.rmSync(pack)
    assert.deepEqual(
      run(gone).map(({ code }) => code),
      ['NO_PIECES'],
    )
    assert.equal(fs.existsSync(path.join(root, 'four')), false)
  })

  it('refuses content of another size than was said', () => {
    const step = files([{ path: 'one', pieces: [Buffer.from('one')], change: { size: 4 } }])
    assert.deepEqual(
      run(step).map(({ code }) => code),
      ['BAD_SIZE'],
    )
    assert.equal(fs.existsSync(path.join(root, 'one')), false)
  })

  it('never replaces what is there, nor goes through a link, nor out of the tree', () => {
    const outside = path.join(base, 'outside')
    fs.mkdirSync(outside)
    fs.symlinkSync(outside, path.join(root, 'linked'))
    fs.symlinkSync(path.join(outside, 'new'), path.join(root, 'dangling'))
    fs.writeFileSync(path.join(root, 'mine'), 'mine')
    const wishes = ['mine', 'linked/new', 'dangling', '../out', '.shoal/marker.json'].map((name) => ({
      path: name,
      pieces: [Buffer.from('theirs')],
    }))
    assert.deepEqual(
      run(files(wishes)).map(({ code }) => code),
      ['EEXIST', 'SYMLINK_IN_PATH', 'EEXIST', 'BAD_PATH', 'BAD_PATH'],
    )
    assert.equal(fs.readFileSync(path.join(root, 'mine'), 'utf8'), 'mine')
    assert.deepEqual(fs.readdirSync(outside), [])
    const links = [{ path: at('mine'), target: 'x', mtimeUs: MTIME_US }]
    assert.equal(run({ type: 'symlinks', links })[0]?.code, 'EEXIST')
    assert.equal(run({ type: 'links', links: [{ path: at('linked/l'), from: at('mine') }] }).length, 1)
    assert.deepEqual(fs.readdirSync(outside), [])
  })

  it('does nothing where the root is another directory than before', () => {
    const { dev, ino } = fs.statSync(root)
    const payload = fillPayload(root, { dev, ino: ino + 1 }, keys, { type: 'directories', paths: [at('a')] })
    assert.equal(fill(payload).faults[0]?.code, 'ROOT_CHANGED')
    assert.equal(fs.existsSync(path.join(root, 'a')), false)
  })

  it('a file of several batches gets its name with the last, whatever was left of it before', () => {
    const [first, second] = [Buffer.alloc(5000, 'first '), Buffer.alloc(100, 'second ')]
    const size = first.length + second.length
    const staged = path.join(root, '.shoal/staging', TOKEN)
    fs.writeFileSync(staged, Buffer.alloc(size + 1, 'of an earlier try'))
    const change = { size, large: { token: TOKEN, begin: true, final: false } }
    assert.deepEqual(run(files([{ path: 'big', pieces: [first], change }])), [])
    assert.equal(fs.existsSync(path.join(root, 'big')), false)
    const last = { size, at: first.length, large: { token: TOKEN, begin: false, final: true } }
    assert.deepEqual(run(files([{ path: 'big', pieces: [second], change: last }])), [])
    assert.deepEqual(fs.readFileSync(path.join(root, 'big')), Buffer.concat([first, second]))
    assert.equal(fs.existsSync(staged), false)
  })

  it('leaves holes for zeros', () => {
    const zeros = Buffer.alloc(1 << 20)
    assert.deepEqual(
      run(files([{ path: 'sparse', pieces: [Buffer.concat([zeros, Buffer.from('end')])] }])),
      [],
    )
    const { size, blocks } = fs.statSync(path.join(root, 'sparse'))
    assert.equal(size, zeros.length + 3)
    assert.ok(blocks * 512 < zeros.length / 2, `${blocks} blocks`)
  })

  it('where the file system cannot be synced as a whole it says so, and syncs one by one', () => {
    fs.writeFileSync(path.join(root, 'one'), '1')
    const { dev, ino } = fs.statSync(root)
    const synced: number[] = []
    const calls = { fsync: (fd: number) => void synced.push(fd), syncFileSystem: () => false }
    const sync = (step: FillStep): readonly FillFault[] =>
      fill(fillPayload(root, { dev, ino }, keys, step), calls).faults
    assert.equal(sync({ type: 'sync' })[0]?.code, 'NO_SYNC')
    assert.equal(synced.length, 0)
    assert.deepEqual(sync({ type: 'sync', files: [at('one')] }), [])
    assert.equal(synced.length, 1)
  })

  it('what a kill or a power cut left half done goes, and nothing else', () => {
    const file = (name: string, text: string, mode: number, isTimed: boolean): void => {
      const place = path.join(root, name)
      fs.writeFileSync(place, text)
      if (isTimed) fs.utimesSync(place, MTIME_US / 1e6, MTIME_US / 1e6)
      fs.chmodSync(place, mode)
    }
    const mtimeUs = 1_600_000_000_000_000
    const timed = (name: string, text: string): void => {
      fs.writeFileSync(path.join(root, name), text)
      fs.utimesSync(path.join(root, name), 1_600_000_000, 1_600_000_000)
    }
    file('killed', 'who', TORN_MODE, false)
    timed('cut', 'who')
    timed('whole', 'whole')
    fs.writeFileSync(path.join(root, 'edited'), 'by')
    fs.symlinkSync('whole', path.join(root, 'link'))
    fs.symlinkSync('.', path.join(root, 'folder'))
    const { dev, ino } = fs.statSync(root)
    const names = ['killed', 'cut', 'whole', 'edited', 'link', 'folder/killed', 'nowhere/at-all', 'absent']
    const asked = names.map((name) => ({ path: name, size: 5, mtimeUs }))
    assert.equal(removeTorn({ root, expectRoot: { dev, ino }, files: asked }), 2)
    assert.deepEqual(fs.readdirSync(root).sort(), ['.shoal', 'edited', 'folder', 'link', 'whole'])
  })
})
