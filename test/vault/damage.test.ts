// What disks do to a vault: flipped bits, cut and missing packs, a lost index, no room, a folder that is not mounted. Each
// costs what it hit, is told, and can be put right by adding it again.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { isVaultFull } from '../../src/vault/storage-error.js'
import { type Damaged, Vault, type VaultOptions } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { PREFIX } from './databases.js'
import { FakeStorage } from './fake-storage.js'
import { certificateOf, headOf, pieceOf, SHARE, storedBlockOf, WRITERS } from './history.js'
import { numbers } from './vault.suite.js'

const PACK_BYTES = 16 * 1024
const PIECES = 60
const BLOCKS = 20

class Scene {
  storage: FakeStorage
  database: MemoryDatabase = new MemoryDatabase()
  damaged: Damaged[] = []
  vault!: Vault
  readonly random: Random

  constructor(seed = 1) {
    this.random = new Random(seed)
    this.storage = new FakeStorage(this.random)
  }

  /** The index is kept unless it is said to be lost. */
  async open(options: Partial<VaultOptions> & { isIndexLost?: boolean } = {}): Promise<Vault> {
    if (options.isIndexLost === true) this.database = new MemoryDatabase()
    this.storage = this.storage.left()
    this.vault = await Vault.open({
      ...{ storage: this.storage, shareId: SHARE, database: this.database, prefix: PREFIX, log: silentLog },
      packBytes: PACK_BYTES,
      onDamaged: (damaged) => this.damaged.push(damaged),
      ...options,
    })
    return this.vault
  }

  async filled(): Promise<this> {
    const vault = await this.open()
    await vault.add({ pieces: numbers(0, PIECES / 2).map(pieceOf), certificates: [certificateOf(0)] })
    await vault.add({
      blocks: numbers(0, BLOCKS).map((index) => storedBlockOf(0, index)),
      heads: [headOf(0, BLOCKS)],
    })
    await vault.add({ pieces: numbers(PIECES / 2, PIECES).map(pieceOf) })
    return this
  }

  pack(at: number): Buffer {
    const names = [...this.storage.packs.keys()].sort()
    return this.storage.packs.get(names.at(at)!)!.bytes
  }

  /** Which pieces, blocks and others are whole; each is as it was added, or not there. */
  async whole(): Promise<Set<string>> {
    const whole = new Set<string>()
    const pieces = numbers(0, PIECES).map(pieceOf)
    const read = await this.vault.read(pieces.map(({ id }) => id))
    for (const [i, { id, bytes }] of pieces.entries()) {
      if (read[i] === null) continue
      assert.deepEqual(read[i], bytes)
      whole.add(id.toString('hex'))
    }
    for await (const block of this.vault.blocks(WRITERS[0]!)) {
      assert.deepEqual(block, storedBlockOf(0, block.index))
      whole.add(`block ${block.index}`)
    }
    for (const head of this.vault.heads()) {
      assert.deepEqual(head, headOf(0, BLOCKS))
      whole.add('head')
    }
    for (const certificate of this.vault.certificates()) {
      assert.deepEqual(certificate, certificateOf(0))
      whole.add('certificate')
    }
    return whole
  }
}

const ALL = PIECES + BLOCKS + 2

function nameOf(damaged: Damaged): string {
  if (damaged.type === 'piece') return damaged.id.toString('hex')
  return damaged.type === 'block' ? `block ${damaged.index}` : damaged.type
}

describe('a damaged vault', () => {
  it('loses to a flipped bit one frame at most, tells which, and takes it again: 300 seeded bits', async () => {
    const clean = await new Scene().filled()
    for (let seed = 1; seed <= 300; seed++) {
      const random = new Random(seed)
      const scene = new Scene(seed)
      scene.storage = clean.storage.left()
      const bytes = scene.pack(random.below(scene.storage.packs.size))
      const bit = random.below(bytes.length * 8)
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      await scene.open({ isIndexLost: true })
      if (random.chance(0.5)) await scene.vault.verify()
      const whole = await scene.whole()
      assert.ok(whole.size >= ALL - 1, `seed ${seed}: ${ALL - whole.size} frames are lost`)
      for (const damaged of scene.damaged) assert.ok(!whole.has(nameOf(damaged)), `seed ${seed}`)
      assert.ok(scene.damaged.length <= 1, `seed ${seed}: told once`)
      await scene.vault.add({
        pieces: numbers(0, PIECES).map(pieceOf),
        blocks: numbers(0, BLOCKS).map((index) => storedBlockOf(0, index)),
        heads: [headOf(0, BLOCKS)],
        certificates: [certificateOf(0)],
      })
      assert.equal((await scene.whole()).size, ALL)
      assert.deepEqual((await scene.vault.verify()).damaged, [])
    }
  })

  it('is told of each flipped bit by verify, whatever was hit, and forgets what does not hold', async () => {
    const scene = await new Scene(3).filled()
    const before = scene.vault.stats()
    for (let i = 0; i < 5; i++) scene.pack(0)[200 + i * 3000]! ^= 0x40
    const seen: number[] = []
    const report = await scene.vault.verify({ onProgress: ({ bytes }) => void seen.push(bytes) })
    assert.ok(report.damaged.length >= 3 && report.isComplete)
    assert.deepEqual(report.damaged, scene.damaged)
    assert.equal(report.frames + report.damaged.length, ALL)
    assert.equal(seen.at(-1), report.bytes)
    for (const damaged of report.damaged)
      if (damaged.type === 'piece') assert.equal(scene.vault.has(damaged.id), false)
    assert.equal((await scene.whole()).size, ALL - report.damaged.length)
    const pieces = report.damaged.filter(({ type }) => type === 'piece').length
    assert.equal(scene.vault.stats().pieces, before.pieces - pieces)
    assert.deepEqual((await scene.vault.verify()).damaged, [])
  })

  it('says that the newest pack may be lost, where the last one is full and no index knows better', async () => {
    const scene = await new Scene().filled()
    assert.ok(scene.storage.packs.size > 2)
    for (const isIndexLost of [false, true])
      assert.equal((await scene.open({ isIndexLost })).fullNewest, undefined, 'all is there')
    const names = [...scene.storage.packs.keys()].sort()
    scene.storage.packs.delete(names.at(-1)!)
    const last = names.length - 1
    // The index knows what was there: that is told frame by frame.
    assert.equal((await scene.open()).fullNewest, undefined)
    assert.ok(scene.damaged.length > 0)
    assert.equal((await scene.open({ isIndexLost: true })).fullNewest, last)
    // It knows this one to its end by now, and that is all that can be known.
    assert.equal((await scene.open()).fullNewest, undefined)
    await scene.vault.add({ pieces: [pieceOf(PIECES)] })
    assert.equal((await scene.open({ isIndexLost: true })).fullNewest, undefined, 'it goes on')
  })

  it('stops verifying when it is told to', async () => {
    const scene = await new Scene().filled()
    const stop = new AbortController()
    stop.abort()
    const report = await scene.vault.verify({ signal: stop.signal })
    assert.equal(report.isComplete, false)
  })

  it('loses of a cut pack what stood behind the cut, and of a missing one what was in it', async () => {
    for (const isIndexLost of [false, true]) {
      const scene = await new Scene().filled()
      const [first, second] = [...scene.storage.packs.keys()].sort()
      const held = scene.storage.packs.get(first!)!
      held.bytes = held.bytes.subarray(0, held.bytes.length / 2)
      scene.storage.packs.delete(second!)
      await scene.open({ isIndexLost })
      const whole = await scene.whole()
      assert.ok(whole.size > 10 && whole.size < ALL, String(whole.size))
      if (!isIndexLost) assert.equal(scene.damaged.length, ALL - whole.size, 'each of them is told')
      await scene.vault.add({ pieces: numbers(0, PIECES).map(pieceOf) })
      assert.equal([...(await scene.whole())].filter((name) => name.length === 64).length, PIECES)
    }
  })

  it('whose newest pack ends in a torn write goes on behind what is whole', async () => {
    const scene = await new Scene().filled()
    const name = [...scene.storage.packs.keys()].sort().at(-1)!
    const held = scene.storage.packs.get(name)!
    const length = held.bytes.length
    held.bytes = Buffer.concat([held.bytes, scene.pack(0).subarray(64, 700)])
    await scene.open()
    assert.equal(scene.storage.packs.get(name)!.bytes.length, length)
    assert.deepEqual(scene.damaged, [])
    assert.equal((await scene.whole()).size, ALL)
  })

  it('without vault.json is known by its packs', async () => {
    for (const json of [undefined, Buffer.from('{"format": 1, "sha')]) {
      const scene = await new Scene().filled()
      if (json === undefined) scene.storage.meta.clear()
      else scene.storage.meta.set('vault.json', json)
      await scene.open()
      assert.equal((await scene.whole()).size, ALL)
      assert.ok(scene.storage.meta.get('vault.json')!.toString().includes(SHARE))
    }
  })

  it('of a later format is left alone', async () => {
    const scene = await new Scene().filled()
    const text = scene.storage.meta.get('vault.json')!.toString().replace('"format":1', '"format":2')
    scene.storage.meta.set('vault.json', Buffer.from(text))
    await assert.rejects(scene.open(), { code: 'SHARE_UNUSABLE', message: /later version/ })
  })

  it('whose folder is not there any more forgets nothing', async () => {
    const scene = await new Scene().filled()
    const left = scene.storage.left()
    scene.storage.packs.clear()
    scene.storage.meta.clear()
    await assert.rejects(scene.vault.read([pieceOf(1).id]), { code: 'IO' })
    for (const [name, bytes] of left.meta) scene.storage.meta.set(name, bytes)
    for (const [name, held] of left.packs) scene.storage.packs.set(name, held)
    assert.deepEqual(scene.damaged, [])
    assert.equal((await scene.whole()).size, ALL)
  })

  it('index of another vault is not believed', async () => {
    const scene = await new Scene().filled()
    const other = await new Scene().open()
    await other.add({ pieces: [pieceOf(1000)] })
    scene.storage = new FakeStorage(scene.random)
    await scene.open()
    assert.equal(scene.vault.stats().pieces, 0)
    assert.equal((await scene.whole()).size, 0)
  })
})

describe('a vault on a full disk', () => {
  it('refuses to add, says why, keeps what it has, and goes on when there is room', async () => {
    const scene = await new Scene().filled()
    scene.storage.capacity = scene.storage.usedBytes + PACK_BYTES + 100
    await assert.rejects(scene.vault.add({ pieces: [pieceOf(1000), pieceOf(1001)] }), isVaultFull)
    assert.equal(scene.vault.has(pieceOf(1000).id), false)
    assert.equal((await scene.whole()).size, ALL)
    // What pieces are about still finds room: who has not read it cannot tell what may go.
    await scene.vault.add({ certificates: [Buffer.alloc(40, 'about a writer')] })
    scene.storage.capacity = scene.storage.usedBytes + PACK_BYTES / 2 + 10
    await assert.rejects(scene.vault.add({ certificates: [Buffer.alloc(40, 'about another')] }), isVaultFull)
    scene.storage.capacity = scene.storage.usedBytes + PACK_BYTES
    // The room that was left is compaction's.
    await scene.vault.drop(numbers(10, PIECES).map((number) => pieceOf(number).id))
    const report = await scene.vault.compact({ minDeadBytes: 1 })
    assert.ok(report.freedBytes > 0)
    await scene.vault.add({ pieces: [pieceOf(1000), pieceOf(1001)] })
    assert.equal((await scene.vault.read([pieceOf(1001).id]))[0]?.length, pieceOf(1001).bytes.length)
  })

  it('that fills up in the middle of a write loses nothing, and cuts the half of it away', async () => {
    const scene = await new Scene().filled()
    const vault = await scene.open({ reserveBytes: 0 })
    for (let room = 0; room < 3000; room += 250) {
      const used = scene.storage.usedBytes
      scene.storage.capacity = used + room
      const pieces = numbers(2000 + room, 2010 + room).map(pieceOf)
      // Freed between the question and the write: the storage finds out.
      const freeBytes = scene.storage.freeBytes.bind(scene.storage)
      scene.storage.freeBytes = async () => undefined
      await vault.add({ pieces }).catch((thrown: unknown) => assert.ok(isVaultFull(thrown)))
      scene.storage.freeBytes = freeBytes
      scene.storage.capacity = Number.POSITIVE_INFINITY
      await vault.add({ pieces })
      assert.deepEqual(
        await vault.read(pieces.map(({ id }) => id)),
        pieces.map(({ bytes }) => bytes),
      )
    }
    assert.equal((await scene.whole()).size, ALL)
    await scene.open({ isIndexLost: true })
    assert.deepEqual(scene.damaged, [])
    assert.equal((await scene.whole()).size, ALL)
  })
})
