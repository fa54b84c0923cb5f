// A pack storage in memory that fails or crashes where it is told to, and what is left of it then: what was durable, and
// of the write under way any part of it.

import type { PackFile, PackStorage } from '../../src/vault/pack-storage.js'
import { lessThere, noRoom } from '../../src/vault/storage-error.js'
import type { Random } from '../sim/random.js'

/** What becomes of a step that is told to go wrong. */
export type Fault =
  /** The process ends before it, within it, after it; nothing works from then on. */
  | 'crash-before'
  | 'crash-within'
  | 'crash-after'
  /** It rejects, and has done a part; what follows works. */
  | 'fail'

export class Crash extends Error {}

interface Held {
  bytes: Buffer
  isSealed: boolean
}

export class FakeStorage implements PackStorage {
  readonly isReadOnly: boolean
  readonly packs: Map<string, Held> = new Map()
  readonly meta: Map<string, Buffer> = new Map()
  /** Steps that change something, so far. */
  steps = 0
  reads = 0
  /** Asked at each step. */
  faultAt: (step: number) => Fault | undefined = () => undefined
  /** Bytes of all packs that there is room for. */
  capacity: number = Number.POSITIVE_INFINITY
  isCrashed = false
  readonly #random: Random

  constructor(random: Random, isReadOnly = false) {
    this.#random = random
    this.isReadOnly = isReadOnly
  }

  /** What is found after the crash, or by somebody else now. */
  left(isReadOnly = false): FakeStorage {
    const left = new FakeStorage(this.#random, isReadOnly)
    for (const [name, { bytes, isSealed }] of this.packs)
      left.packs.set(name, { bytes: Buffer.from(bytes), isSealed })
    for (const [name, bytes] of this.meta) left.meta.set(name, bytes)
    left.capacity = this.capacity
    return left
  }

  get usedBytes(): number {
    return [...this.packs.values()].reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  async list(): Promise<readonly PackFile[]> {
    this.#look()
    return [...this.packs].map(([name, { bytes }]) => ({ name, bytes: bytes.length })).reverse()
  }

  async read(name: string, offset: number, length: number): Promise<Buffer> {
    this.#look()
    this.reads++
    const held = this.packs.get(name)
    if (held === undefined || offset + length > held.bytes.length) throw lessThere(`cannot read ${name}`)
    return Buffer.from(held.bytes.subarray(offset, offset + length))
  }

  async append(name: string, parts: readonly Buffer[]): Promise<void> {
    const bytes = Buffer.concat(parts)
    const held = this.packs.get(name) ?? { bytes: Buffer.alloc(0), isSealed: false }
    if (held.isSealed) throw new Error(`${name} is sealed`)
    const fits = this.usedBytes + bytes.length <= this.capacity
    await this.#step(
      () => {
        this.packs.set(name, held)
        held.bytes = Buffer.concat([held.bytes, fits ? bytes : this.#part(bytes)])
      },
      () => {
        if (this.#random.chance(0.2)) return
        this.packs.set(name, held)
        held.bytes = Buffer.concat([held.bytes, this.#part(bytes)])
      },
    )
    if (!fits) throw noRoom(`cannot write ${name}`)
  }

  async truncate(name: string, length: number): Promise<void> {
    const held = this.packs.get(name)
    if (held === undefined || held.isSealed || held.bytes.length < length)
      throw new Error(`cannot cut ${name}`)
    await this.#step(() => {
      held.bytes = held.bytes.subarray(0, length)
    })
  }

  async seal(name: string): Promise<void> {
    const held = this.packs.get(name)
    if (held === undefined) throw new Error(`no ${name} to seal`)
    await this.#step(() => {
      held.isSealed = true
    })
  }

  async remove(name: string): Promise<void> {
    await this.#step(() => this.packs.delete(name))
  }

  async getMeta(name: string): Promise<Buffer | undefined> {
    this.#look()
    return this.meta.get(name)
  }

  async putMeta(name: string, bytes: Buffer): Promise<void> {
    await this.#step(() => this.meta.set(name, bytes))
  }

  async freeBytes(): Promise<number | undefined> {
    this.#look()
    return this.capacity === Number.POSITIVE_INFINITY ? undefined : this.capacity - this.usedBytes
  }

  async close(): Promise<void> {}

  #look(): void {
    if (this.isCrashed) throw new Crash('after the crash')
  }

  async #step(body: () => void, half: () => void = () => undefined): Promise<void> {
    this.#look()
    if (this.isReadOnly) throw new Error('changed what is for reading alone')
    const fault = this.faultAt(++this.steps)
    // As with a disk, the answer comes later.
    await new Promise((resolve) => setImmediate(resolve))
    this.#look()
    if (fault === undefined || fault === 'crash-after') body()
    else if (fault !== 'crash-before') half()
    if (fault === undefined) return
    if (fault === 'fail') throw new Error('this step failed')
    this.isCrashed = true
    throw new Crash(`at step ${this.steps}`)
  }

  /** A beginning of a write, perhaps with a hole where a page did not get to the disk. */
  #part(bytes: Buffer): Buffer {
    const part = Buffer.from(bytes.subarray(0, this.#random.below(bytes.length + 1)))
    if (this.#random.chance(0.3)) {
      const start = this.#random.below(part.length + 1)
      part.fill(0, start, Math.min(part.length, start + this.#random.below(4096)))
    }
    return part
  }
}
