// The straight way out of a vault into a new folder (fill.ts), and where it ends and the ordinary one goes on.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { RelPath } from '../../../src/core/path.js'
import { NO_VERSION } from '../../../src/core/version.js'
import { PastPieces } from '../../../src/daemon/restore/past-pieces.js'
import type { RestoreReport } from '../../../src/daemon/restore/report.js'
import { type RestoreOptions, restore } from '../../../src/daemon/restore/restore.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { TORN_MODE } from '../../../src/folder/torn-mode.js'
import { PastWorld } from '../../support/past-world.js'
import { differencesOf, snapshot } from '../../support/trees.js'

const pool = new FolderPool()
after(() => pool.close())

/** More than one batch. */
const BIG_BYTES = 5 << 20

describe('restoring straight from the packs', () => {
  let home: string
  let world: PastWorld
  let vault: string
  let to: string
  /** Whether the ordinary way's index was there while files were written. */
  let hadIndex: boolean

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-straight-'))
    world = await PastWorld.make(11, home, 2)
    const { dir } = world
    for (let i = 0; i < 40; i++) {
      const folder = path.join(dir, `d${i % 5}`, 'deep')
      fs.mkdirSync(folder, { recursive: true })
      fs.writeFileSync(path.join(folder, `f${i}`), `content ${i}\n`.repeat(i), {
        mode: i % 2 ? 0o600 : 0o755,
      })
    }
    fs.utimesSync(path.join(dir, 'd1/deep/f11'), 1e9, 1e9)
    const big = Buffer.alloc(BIG_BYTES)
    for (let i = 0; i < big.length; i += 4) big.writeUInt32LE((i * 2_654_435_761) % 2 ** 32, i)
    fs.writeFileSync(path.join(dir, 'big'), big)
    fs.writeFileSync(path.join(dir, 'sparse'), '')
    fs.truncateSync(path.join(dir, 'sparse'), 1 << 20)
    fs.symlinkSync('../nowhere', path.join(dir, 'd1/link'))
    fs.mkdirSync(path.join(dir, 'closed'))
    fs.writeFileSync(path.join(dir, 'closed/in'), 'in it')
    fs.chmodSync(path.join(dir, 'closed'), 0o500)
    await world.publish(0)
    world.nowMs += 3_600_000
    fs.rmSync(path.join(dir, 'd4'), { recursive: true })
    fs.writeFileSync(path.join(dir, 'd0/deep/f0'), 'changed\n')
    await world.publish(1)
    vault = path.join(home, 'vault')
    await world.writeVault(vault)
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })
  beforeEach(() => {
    to = fs.mkdtempSync(path.join(home, 'to-'))
    hadIndex = false
  })
  afterEach(() => fs.rmSync(to, { recursive: true, force: true }))

  function run(options: Partial<RestoreOptions> = {}): Promise<RestoreReport> {
    const { signal } = new AbortController()
    const onProgress = (): void => {
      hadIndex ||= fs.existsSync(path.join(to, '.shoal/restore/index'))
    }
    const from = { type: 'vault' as const, vault }
    return restore({ secret: world.secret, from, to, pool, signal, onProgress, ...options })
  }

  /** A copy of the vault with one byte changed. */
  function damagedVault(): string {
    const copy = fs.mkdtempSync(path.join(home, 'damaged-'))
    fs.cpSync(vault, copy, { recursive: true })
    const packs = path.join(copy, 'packs')
    const pack = path.join(packs, fs.readdirSync(packs).sort()[0]!)
    const bytes = fs.readFileSync(pack)
    // Within one of the pieces of the big file, which are most of the pack.
    bytes[bytes.length >> 1]! ^= 1
    fs.writeFileSync(pack, bytes)
    return copy
  }

  it('is the way into a new folder, and brings back what the ordinary one would', async () => {
    const report = await run()
    assert.deepEqual([report.complete, report.lacking, report.notes, hadIndex], [true, [], [], false])
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    assert.deepEqual([report.files, report.bytes], countOf(world.dir))
    assert.ok(fs.statSync(path.join(to, 'sparse')).blocks * 512 < 1 << 19)
    assert.equal(fs.existsSync(path.join(to, '.shoal')), false)
  })

  it('is taken with large feeds as well, which need a database', async () => {
    const report = await run({ heldFeedBytes: 0 })
    assert.deepEqual([report.complete, hadIndex], [true, false])
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    assert.equal(fs.existsSync(path.join(to, '.shoal')), false)
  })

  it('parts alone, with the directories above them as they were', async () => {
    const report = await run({ paths: ['d1/deep/f1' as RelPath, 'closed' as RelPath] })
    assert.deepEqual([report.complete, report.files, hadIndex], [true, 2, false])
    const isWanted = (name: string): boolean => /^(d1|d1\/deep|d1\/deep\/f1|closed.*)$/.test(name)
    const wanted = new Map([...snapshot(world.dir)].filter(([name]) => isWanted(name)))
    const got = new Map([...snapshot(to)].filter(([name]) => name !== ''))
    assert.deepEqual(differencesOf(wanted, got), [])
  })

  it('what is damaged takes nothing away from the rest, and comes from another copy', async () => {
    const report = await run({ from: { type: 'vault', vault: damagedVault() }, stallMs: 5000 })
    assert.equal(report.complete, false)
    assert.deepEqual(
      report.lacking.map(({ path: name, code }) => [name, code]),
      [['big', 'NO_PIECES']],
    )
    assert.match(report.lacking[0]!.detail, /or is damaged/)
    const without = new Map([...snapshot(world.dir)].filter(([name]) => name !== 'big'))
    const differences = differencesOf(without, snapshot(to)).filter((text) => !text.includes('.shoal'))
    assert.deepEqual(differences, [])
    assert.equal((await run()).complete, true)
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
  })

  it('is gone on with after a kill: what is torn is nobody’s, what is right is kept', async () => {
    await assert.rejects(run({ signal: AbortSignal.abort() }), { name: 'AbortError' })
    // As it stands when a worker was killed while it wrote, and once more after a power cut.
    const folder = path.join(to, 'd1/deep')
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(path.join(folder, 'f1'), 'con')
    fs.chmodSync(path.join(folder, 'f1'), TORN_MODE)
    fs.writeFileSync(path.join(folder, 'f11'), '')
    fs.utimesSync(path.join(folder, 'f11'), 1e9, 1e9)
    const right = path.join(folder, 'f21')
    fs.copyFileSync(path.join(world.dir, 'd1/deep/f21'), right)
    const { ino } = fs.statSync(right)
    const report = await run()
    assert.deepEqual([report.complete, report.notes, hadIndex], [true, [], true])
    assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(to)), [])
    assert.equal(fs.statSync(right).ino, ino)
    assert.equal(fs.existsSync(path.join(to, '.shoal')), false)
  })

  it('what an earlier try left is durable as well before it is said to be restored', async () => {
    const steps: string[] = []
    class Watched extends FolderPool {
      override fill(...args: Parameters<FolderPool['fill']>): ReturnType<FolderPool['fill']> {
        steps.push(args[3].type)
        return super.fill(...args)
      }
      override commit(...args: Parameters<FolderPool['commit']>): ReturnType<FolderPool['commit']> {
        steps.push('commit')
        return super.commit(...args)
      }
    }
    const watched = new Watched()
    try {
      await assert.rejects(run({ signal: AbortSignal.abort(), pool: watched }), { name: 'AbortError' })
      fs.cpSync(world.dir, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true })
      fs.rmSync(path.join(to, 'd0/deep/f0'))
      assert.equal((await run({ pool: watched })).complete, true)
      assert.ok(steps.includes('commit'))
      assert.equal(steps.at(-1), 'sync')
    } finally {
      await watched.close()
    }
  })

  it('A1: what somebody laid into our folder of the target is neither written through nor believed', async () => {
    const victim = fs.mkdtempSync(path.join(home, 'victim-'))
    fs.writeFileSync(path.join(victim, 'file'), 'untouched')
    fs.mkdirSync(path.join(victim, 'tree'))
    fs.mkdirSync(path.join(to, '.shoal'))
    fs.symlinkSync(path.join(victim, 'file'), path.join(to, '.shoal/restore.json.part'))
    fs.symlinkSync(victim, path.join(to, '.shoal/restore'))
    assert.equal((await run({ heldFeedBytes: 0 })).complete, true)
    assert.deepEqual(fs.readdirSync(victim).sort(), ['file', 'tree'])
    assert.equal(fs.readFileSync(path.join(victim, 'file'), 'utf8'), 'untouched')
  })

  it("A1: a folder of ours that is another user's is refused", async (t) => {
    if (process.geteuid?.() !== 0) return t.skip('it takes root to give a folder to somebody else')
    fs.mkdirSync(path.join(to, '.shoal'))
    fs.chownSync(path.join(to, '.shoal'), 65_534, 65_534)
    await assert.rejects(run(), { code: 'EXISTS', message: /another user's/ })
    assert.deepEqual(fs.readdirSync(to), ['.shoal'])
    assert.deepEqual(fs.readdirSync(path.join(to, '.shoal')), [])
  })

  it('V5: copies of what nobody had settled come this way, too', async () => {
    const torn = await PastWorld.make(12, fs.mkdtempSync(path.join(home, 'torn-')), 2)
    try {
      await torn.say(0, 'doc.txt', 'one side', NO_VERSION)
      torn.nowMs += 60_000
      await torn.say(1, 'doc.txt', 'the other side', NO_VERSION)
      const held = path.join(home, 'torn-vault')
      await torn.writeVault(held)
      const report = await run({ secret: torn.secret, from: { type: 'vault', vault: held } })
      assert.deepEqual([report.complete, report.files, hadIndex], [true, 2, false])
      const texts = fs.readdirSync(to).map((name) => fs.readFileSync(path.join(to, name), 'utf8'))
      assert.deepEqual(texts.sort(), ['one side', 'the other side'])
    } finally {
      await torn.close()
    }
  })
})

describe('the pieces that feeds announced', () => {
  const piece = (byte: number): { id: Buffer; length: number } => ({
    id: Buffer.alloc(32, byte),
    length: 100 + byte,
  })

  it('are told by their numbers, in whatever order they came', () => {
    const pieces = new PastPieces()
    const numbers = [...Array.from({ length: 200 }, (_, i) => i), 1000, 1001, 500, 2 ** 31]
    for (const number of numbers) assert.equal(pieces.announce(1, number, piece(number % 251)), true)
    for (const number of numbers) assert.deepEqual(pieces.at(1, number), piece(number % 251))
    for (const absent of [200, 499, 501, 999, 1002]) assert.equal(pieces.at(1, absent), undefined)
    assert.equal(pieces.at(2, 0), undefined)
    assert.deepEqual(
      pieces.ofRuns(1, [
        { first: 1000, count: 2 },
        { first: 3, count: 1 },
      ]),
      [...[piece(1000 % 251), piece(1001 % 251), piece(3)]],
    )
    assert.equal(pieces.ofRuns(1, [{ first: 199, count: 2 }]), undefined)
  })

  it('the same number once more is the same piece, or a contradiction that changes nothing', () => {
    const pieces = new PastPieces()
    for (const number of [0, 1, 9, 4]) pieces.announce(1, number, piece(number))
    for (const number of [0, 1, 9, 4]) {
      assert.equal(pieces.announce(1, number, piece(number)), true)
      assert.equal(pieces.announce(1, number, piece(77)), false)
      assert.deepEqual(pieces.at(1, number), piece(number))
    }
  })
})

/** Files and their bytes. */
function countOf(folder: string): [number, number] {
  let files = 0
  let bytes = 0
  for (const entry of fs.readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile() || entry.parentPath.includes('.shoal')) continue
    files++
    bytes += fs.statSync(path.join(entry.parentPath, entry.name)).size
  }
  return [files, bytes]
}
