import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import { shareIdFromBytes } from '../../src/core/ids.js'
import {
  cleanStaging,
  findMarker,
  judgeMarker,
  type MarkerFound,
  prepareOwnDir,
  readMarker,
  writeMarker,
} from '../../src/folder/marker.js'
import { AT_MS, token } from './commit-kit.js'

const ID = shareIdFromBytes(Buffer.alloc(32, 7))
const OTHER = shareIdFromBytes(Buffer.alloc(32, 8))

let root: string

beforeEach(() => {
  root = fs.mkdtempSync(join(tmpdir(), 'shoal-marker-'))
})

afterEach(() => fs.rmSync(root, { recursive: true, force: true }))

function at(name: string): string {
  return join(root, name)
}

test('A5: from nothing to ours', () => {
  const fresh = readMarker(root, ID, undefined)
  assert.equal(fresh.state, 'fresh')
  prepareOwnDir(root)
  assert.equal(readMarker(root, ID, undefined).state, 'fresh')
  const identity = writeMarker(root, ID, AT_MS)
  const ours = readMarker(root, ID, undefined)
  assert.deepEqual(ours, { state: 'ours', identity })
  assert.deepEqual(readMarker(root, ID, identity), { state: 'ours', identity })
  assert.deepEqual(JSON.parse(fs.readFileSync(at('.shoal/marker.json'), 'utf8')), {
    format: 1,
    shareId: ID,
    created: '2024-02-03T12:00:00.000Z',
  })
  assert.deepEqual(fs.readdirSync(at('.shoal')).sort(), ['archive', 'marker.json', 'staging'])
})

test('A5: what halts a share', () => {
  prepareOwnDir(root)
  const identity = writeMarker(root, ID, AT_MS)
  assert.equal(readMarker(root, OTHER, undefined).state, 'foreign')
  fs.writeFileSync(at('.shoal/marker.json'), '{"format":1')
  assert.equal(readMarker(root, ID, identity).state, 'foreign')
  for (const text of [
    'null',
    '[]',
    '{"format":2,"shareId":"x"}',
    '{"format":1}',
    '"x"',
    '',
    'x'.repeat(5000),
  ]) {
    fs.writeFileSync(at('.shoal/marker.json'), text)
    assert.equal(readMarker(root, ID, undefined).state, 'foreign', text)
  }
  fs.rmSync(at('.shoal/marker.json'))
  fs.symlinkSync('/etc/hostname', at('.shoal/marker.json'))
  assert.equal(readMarker(root, ID, identity).state, 'foreign')
  fs.rmSync(at('.shoal/marker.json'))
  assert.equal(readMarker(root, ID, identity).state, 'missing')
  fs.rmSync(at('.shoal'), { recursive: true })
  assert.equal(readMarker(root, ID, identity).state, 'missing')
  fs.mkdirSync(at('elsewhere'))
  fs.symlinkSync('elsewhere', at('.shoal'))
  assert.equal(readMarker(root, ID, identity).state, 'own-dir-unsafe')
  fs.rmSync(at('.shoal'))
  fs.writeFileSync(at('.shoal'), '')
  assert.equal(readMarker(root, ID, identity).state, 'own-dir-unsafe')
  const gone = readMarker(at('none'), ID, identity)
  assert.equal(gone.state, 'root-gone')
  assert.match((gone as { detail: string }).detail, /^the folder is not there; is its disk mounted/)
  assert.equal(readMarker(at('.shoal'), ID, identity).state, 'root-gone')
})

test('A5: a copy on another file system halts; a disk with a new number, or a copy beside, does not', () => {
  const known = { dev: 1, ino: 2, markerIno: 30 }
  const judge = (identity: typeof known) =>
    judgeMarker({ type: 'present', shareId: ID, identity }, ID, known).state
  assert.equal(judge(known), 'ours')
  assert.equal(judge({ dev: 9, ino: 2, markerIno: 30 }), 'ours')
  assert.equal(judge({ dev: 1, ino: 5, markerIno: 50 }), 'ours')
  assert.equal(judge({ dev: 9, ino: 2, markerIno: 50 }), 'elsewhere')
  assert.equal(judge({ dev: 9, ino: 5, markerIno: 30 }), 'elsewhere')
  // Somebody else's marker is foreign wherever it is.
  const found: MarkerFound = { type: 'present', shareId: OTHER, identity: { dev: 9, ino: 9, markerIno: 9 } }
  assert.equal(judgeMarker(found, ID, known).state, 'foreign')
})

test('our own folder is for nobody else, and never behind a symlink', () => {
  fs.mkdirSync(at('.shoal'), { mode: 0o755 })
  prepareOwnDir(root)
  prepareOwnDir(root)
  for (const name of ['.shoal', '.shoal/staging', '.shoal/archive'])
    assert.equal(fs.statSync(at(name)).mode & 0o7777, 0o700)
  for (const name of ['.shoal/archive', '.shoal/staging', '.shoal']) {
    fs.rmSync(at(name), { recursive: true })
    fs.mkdirSync(at('elsewhere'), { recursive: true })
    fs.symlinkSync(at('elsewhere'), at(name))
    assert.throws(
      () => prepareOwnDir(root),
      (thrown) => thrown instanceof ShoalError && thrown.code === 'SHARE_UNUSABLE',
    )
    assert.deepEqual(fs.readdirSync(at('elsewhere')), [])
    fs.unlinkSync(at(name))
  }
  assert.throws(
    () => writeMarker(at('none'), ID, 0),
    (thrown) => thrown instanceof ShoalError && !thrown.message.includes('/proc'),
  )
})

test('a marker that is written again over a crashed attempt', () => {
  prepareOwnDir(root)
  fs.writeFileSync(at('.shoal/marker.json.new'), 'torn')
  writeMarker(root, ID, AT_MS)
  writeMarker(root, ID, AT_MS)
  assert.equal(findMarker(root).type, 'present')
  assert.equal(fs.existsSync(at('.shoal/marker.json.new')), false)
})

test('A4: cleaning keeps what is wanted, and recovers what a crashed commit held', () => {
  prepareOwnDir(root)
  const staging = at('.shoal/staging')
  fs.writeFileSync(join(staging, token(1)), 'wanted')
  fs.writeFileSync(join(staging, token(2)), 'leftover')
  fs.symlinkSync('x', join(staging, 'link-1'))
  fs.writeFileSync(join(staging, 'held-1'), 'precious')
  fs.writeFileSync(join(staging, 'held-2'), '')
  fs.symlinkSync('precious', join(staging, 'held-3'))
  fs.mkdirSync(join(staging, 'strange'))
  const cleaned = cleanStaging({ root, keepTokens: [token(1)] })
  assert.equal(cleaned.removed, 5)
  assert.deepEqual([...cleaned.recovered].sort(), ['recovered/held-1', 'recovered/held-3'])
  assert.equal(cleaned.faults.length, 1)
  assert.deepEqual(fs.readdirSync(staging).sort(), [token(1), 'strange'])
  assert.equal(fs.readFileSync(at('.shoal/archive/recovered/held-1'), 'utf8'), 'precious')
  fs.writeFileSync(join(staging, 'held-1'), 'more')
  assert.deepEqual(cleanStaging({ root, keepTokens: [token(1)] }).recovered, ['recovered/held-1~2'])
  assert.equal(fs.readFileSync(at('.shoal/archive/recovered/held-1'), 'utf8'), 'precious')
})
