// Restoring from a vault in which records of a feed are damaged: what they said is lacking, and told; nothing else is.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { browse } from '../../../src/daemon/restore/browse.js'
import type { RestoreReport } from '../../../src/daemon/restore/report.js'
import { type RestoreOptions, restore } from '../../../src/daemon/restore/restore.js'
import { RUN_BLOCKS } from '../../../src/feed/leaves.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { Random } from '../../sim/random.js'
import { PastWorld } from '../../support/past-world.js'
import { differencesOf, snapshot } from '../../support/trees.js'
import { type FrameIn, flip, framesIn } from '../../support/vault-frames.js'

const pool = new FolderPool()
after(() => pool.close())

const RECORDS = 40
const HOUR = 3_600_000
const PIECE = 1
const BLOCK = 3
const LEAVES = 6

describe('a vault in which a record of a feed is damaged', () => {
  let home: string
  let world: PastWorld
  let vault: string
  let counter = 0

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-lost-'))
    world = await PastWorld.make(21, home, 2)
    vault = path.join(home, 'vault')
    for (let i = 0; i < RECORDS; i++) {
      fs.writeFileSync(path.join(world.dir, `f${i}`), `content of ${i}\n`)
      await world.publish(0)
      if (i % 10 === 0) {
        fs.writeFileSync(path.join(world.dir, `other${i}`), `of the other ${i}\n`)
        await world.publish(1)
      }
      world.nowMs += HOUR
      // As a node that runs does it: what comes is kept as it comes.
      if (i % 7 === 0 || i === RECORDS - 1) await world.writeVault(vault)
    }
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })

  function copyOf(from = vault): string {
    const copy = path.join(home, `vault-${counter++}`)
    fs.cpSync(from, copy, { recursive: true })
    return copy
  }

  function run(from: string, options: Partial<RestoreOptions> = {}): Promise<RestoreReport> {
    const to = path.join(home, `to-${counter++}`)
    const { signal } = new AbortController()
    return restore({
      secret: world.secret,
      from: { type: 'vault', vault: from },
      to,
      pool,
      signal,
      ...options,
    })
  }

  function block(from: string, index: number): FrameIn {
    const { writer } = world.writers[0]!.feed
    const found = framesIn(from).find(
      (frame) => frame.type === BLOCK && frame.writer === writer && frame.index === index,
    )
    assert.ok(found, `block ${index}`)
    return found
  }

  const namesIn = (dir: string): string[] => fs.readdirSync(dir).filter((name) => name !== '.shoal')

  const missingIn = (dir: string, of = namesIn(world.dir)): string[] =>
    of.filter((name) => !namesIn(dir).includes(name))

  it('gives everything back but what that record said, and says which it is', async () => {
    const copy = copyOf()
    flip(block(copy, 17), 70)
    const report = await run(copy)
    assert.equal(report.complete, false)
    assert.equal(report.lackingCount, 1, JSON.stringify(report.lacking))
    assert.equal(report.lacking[0]!.code, 'FEED_CORRUPT')
    assert.match(report.lacking[0]!.detail, /server-0.* record 17 of 40 .*older.*absent/)
    assert.deepEqual(missingIn(report.dir), ['f17'])
    assert.deepEqual(
      report.writers.map(({ name, records }) => [name, records]),
      [
        ['server-0', RECORDS - 1],
        ['server-1', 4],
      ],
    )
    const { signal } = new AbortController()
    const faults = await browse({ secret: world.secret, vault: copy, signal }, async (past) => {
      assert.equal((await past.list('')).length, namesIn(world.dir).length - 1)
      return past.faults
    })
    assert.match(faults.join(), /^what server-0 wrote: record 17 of 40 is damaged/)
  })

  it('of several records, the first and the last among them, names each', async () => {
    const copy = copyOf()
    for (const index of [0, 16, 17, 18, 39]) flip(block(copy, index), 50)
    const report = await run(copy)
    assert.match(report.lacking[0]!.detail, /5 records of 40 \(0, 16-18, 39\) are damaged/)
    assert.deepEqual(missingIn(report.dir).sort(), ['f0', 'f16', 'f17', 'f18', 'f39'])
  })

  it('is gone on with from a vault that has the record, by the same command, and is whole then', async () => {
    for (const heldFeedBytes of [undefined, 1]) {
      const copy = copyOf()
      flip(block(copy, 3), 60)
      const other = copyOf()
      flip(block(other, 30), 60)
      const first = await run(copy, { heldFeedBytes })
      assert.deepEqual(missingIn(first.dir), ['f3'])
      // What this one lacks, the first had: said to be lacking all the same, until it is seen whole.
      const second = await run(other, { to: first.dir, heldFeedBytes })
      assert.deepEqual(missingIn(first.dir), [])
      assert.equal(second.complete, false)
      const last = await run(vault, { to: first.dir, heldFeedBytes })
      assert.deepEqual(last.lacking, [])
      assert.deepEqual(differencesOf(snapshot(world.dir), snapshot(first.dir)), [])
    }
  })

  it('of an earlier moment it matters only where it may have been of that time', async () => {
    const copy = copyOf()
    flip(block(copy, 17), 60)
    const atRecord = (i: number): number => world.nowMs - (RECORDS - i) * HOUR
    for (const i of [0, 8, 15, 16, 17, 18, 30]) {
      const report = await run(copy, { atMs: atRecord(i) })
      assert.deepEqual(
        namesIn(report.dir).filter((name) => name.startsWith('f')).length,
        i < 17 ? i + 1 : i,
        `record ${i}`,
      )
      // Right before the lost one, nobody can tell of which time that was.
      assert.equal(report.complete, i < 16, `record ${i}`)
      assert.deepEqual(report.notes.length, 1, 'that bytes of the vault do not hold')
    }
  })

  it('whatever frame a bit is flipped in: what stood in it is lacking, nothing else', async () => {
    const random = new Random(3)
    const frames = framesIn(vault)
    const hits = new Set(['newest head', 'newest leaves'])
    for (let round = 0; round < 45; round++) {
      const copy = copyOf()
      const all = framesIn(copy)
      // The last frames of the tail, what is newest, and any others.
      const frame = round < 6 ? all.at(-1 - round)! : all[random.below(frames.length)]!
      flip(frame, random.below(frame.bytes), random.below(8))
      const report = await run(copy)
      const missing = missingIn(report.dir)
      const what = `round ${round}: type ${frame.type} ${frame.writer} ${frame.index}: ${JSON.stringify(report.lacking)}`
      hits.delete(frame === all.findLast(({ type }) => type === 4) ? 'newest head' : '')
      hits.delete(frame === all.findLast(({ type }) => type === 6) ? 'newest leaves' : '')
      assert.ok(missing.length <= 1, what)
      assert.equal(report.complete, missing.length === 0, what)
      if (frame.type !== BLOCK && frame.type !== PIECE) assert.deepEqual(missing, [], what)
      fs.rmSync(copy, { recursive: true })
      fs.rmSync(report.dir, { recursive: true })
    }
    assert.deepEqual([...hits], [])
  })

  it('whatever stretch of a disk is lost: what is lacking is never passed over, and the rest comes back', async () => {
    const random = new Random(4)
    const size = fs.statSync(framesIn(vault)[0]!.pack).size
    let losses = 0
    for (let round = 0; round < 28; round++) {
      const copy = copyOf()
      const [{ pack }] = framesIn(copy) as [FrameIn]
      const length = 2 ** (6 + random.below(8))
      // Every fourth at the end, where a write that was cut off looks the same.
      const start = round % 4 === 0 ? Math.max(64, size - length) : 64 + random.below(size - 64)
      const hit = framesIn(copy).filter(
        ({ offset, bytes }) => offset < start + length && offset + bytes > start,
      )
      const file = fs.openSync(pack, 'r+')
      fs.writeSync(file, Buffer.alloc(Math.min(length, size - start)), 0, undefined, start)
      fs.closeSync(file)
      const report = await run(copy)
      const missing = missingIn(report.dir)
      const what = `round ${round}: ${length} bytes from ${start} of ${size}: ${missing.length} missing, ${JSON.stringify([report.lacking, report.notes])}`
      losses += missing.length
      assert.ok(missing.length === 0 || !report.complete || report.notes.length > 0, what)
      // Of what came last, there is one copy of what proves it: a run of records at most goes with it.
      const isNewestHit = hit.some(({ type }) => type === LEAVES)
      const bound = hit.filter(({ type }) => type === PIECE || type === BLOCK).length
      assert.ok(missing.length <= bound + (isNewestHit ? RUN_BLOCKS : 0), what)
      fs.rmSync(copy, { recursive: true })
      fs.rmSync(report.dir, { recursive: true })
    }
    assert.ok(losses > 0)
  })

  it('the certificate, or the newest proof, damaged: nothing is lacking', async () => {
    const { writer } = world.writers[0]!.feed
    for (const type of [2, 4]) {
      const copy = copyOf()
      for (const frame of framesIn(copy))
        if (frame.type === type && (type === 2 || frame.writer === writer)) flip(frame, 60)
      const report = await run(copy)
      assert.deepEqual(report.lacking, [], `type ${type}`)
      assert.deepEqual(missingIn(report.dir), [])
    }
  })

  it('what proves a lost record lost as well: what came before it counts, and it is said', async () => {
    const copy = copyOf()
    flip(block(copy, 30), 60)
    const { writer } = world.writers[0]!.feed
    for (const frame of framesIn(copy))
      if (frame.type === LEAVES && frame.writer === writer && frame.index !== 1) flip(frame, 60)
    const report = await run(copy)
    assert.equal(report.complete, false)
    assert.match(report.lacking[0]!.detail, /server-0.*there is more after record 22/)
    assert.equal(namesIn(report.dir).filter((name) => name.startsWith('f')).length, 22)
  })

  it('without any of that, as older vaults are: all that this writer wrote is lacking, what others wrote is there', async () => {
    const copy = copyOf()
    flip(block(copy, 30), 60)
    for (const frame of framesIn(copy)) if (frame.type === LEAVES) flip(frame, 60)
    const report = await run(copy)
    assert.match(report.lacking[0]!.detail, /server-0.*block 30 is missing/)
    assert.deepEqual(namesIn(report.dir).sort(), ['other0', 'other10', 'other20', 'other30'])
  })
})

describe('a lost record, by what stood in it', () => {
  let home: string
  let world: PastWorld

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-lost-'))
    world = await PastWorld.make(23, home, 2)
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })

  it('never makes a deletion of what stands, nor passes for complete', async () => {
    const steps: (() => void)[] = [
      () => fs.writeFileSync(at('kept'), 'kept\n'),
      () => fs.writeFileSync(at('gone'), 'gone\n'),
      () => fs.writeFileSync(at('edited'), 'first\n'),
      () => fs.mkdirSync(at('dir')),
      () => fs.writeFileSync(at('dir/file'), 'in it\n'),
      () => fs.rmSync(at('gone')),
      () => fs.writeFileSync(at('edited'), 'second\n'),
      () => fs.writeFileSync(at('again'), 'the first time\n'),
      () => fs.rmSync(at('again')),
      () => fs.writeFileSync(at('again'), 'the second time\n'),
      // Of the content of another file: its pieces are announced in that record alone.
      () => fs.copyFileSync(at('dir/file'), at('copy')),
    ]
    for (const [i, step] of steps.entries()) {
      step()
      await world.publish(0)
      assert.equal(world.writers[0]!.feed.length, i + 1)
      world.nowMs += HOUR
    }
    const vault = path.join(home, 'vault')
    await world.writeVault(vault)
    const whole = snapshot(world.dir)
    const expected: [record: number, paths: string[]][] = [
      [0, ['kept']],
      [1, []],
      [2, []],
      // Its time was said again with what came into it.
      [3, []],
      [4, ['copy', 'dir', 'dir/file']],
      [5, ['gone']],
      [6, ['edited']],
      [7, []],
      [8, []],
      [9, ['again']],
      [10, ['copy']],
    ]
    for (const [record, paths] of expected) {
      const copy = path.join(home, `vault-${record}`)
      fs.cpSync(vault, copy, { recursive: true })
      flip(framesIn(copy).find(({ type, index }) => type === BLOCK && index === record)!, 50)
      const to = path.join(home, `to-${record}`)
      const { signal } = new AbortController()
      const from = { type: 'vault' as const, vault: copy }
      const report = await restore({ secret: world.secret, from, to, pool, signal })
      assert.equal(report.complete, false)
      const told = report.lacking.find(({ code }) => code === 'FEED_CORRUPT')
      assert.match(told!.detail, new RegExp(`record ${record} of 11 is damaged`))
      fs.rmSync(path.join(to, '.shoal'), { recursive: true })
      const got = snapshot(to)
      const differ = [...new Set([...whole.keys(), ...got.keys()])].filter(
        (name) => JSON.stringify(whole.get(name)) !== JSON.stringify(got.get(name)),
      )
      assert.deepEqual(differ.sort(), paths, `record ${record}: ${JSON.stringify(report.lacking)}`)
      // What later records could not be believed for want of it is named.
      if (record === 4) assert.ok(report.lacking.some(({ path: name }) => name === 'copy'))
    }
  })

  const at = (name: string): string => path.join(world.dir, name)
})
