// The end of a vault, where frames are written: the newest pack, sealed when it is full, and a new one begun. One caller
// at a time.
//
// T1  What a write resolves for is durable in the pack before its row is in the index.
// T2  After a write that failed, the pack is cut to what was durable before the next one begins.
// T3  The pack with the highest number is never removed, so no number is used twice.
import type { ShareId } from '../core/ids.js'
import type { Catalog } from './catalog.js'
import { ContentsDraft, type FrameAt, MAX_FRAMES } from './contents.js'
import {
  FRAME_HEADER_BYTES,
  frameHeader,
  type NewFrame,
  packHeader,
  packIdentity,
  writeFrameHeader,
} from './frame.js'
import type { Place } from './frame-rows.js'
import { type PackStorage, packName } from './pack-storage.js'

/** The newest pack as it was found. */
export interface TailState {
  readonly number: number
  readonly bytes: number
  readonly isSealed: boolean
  /** In the order they stand. */
  readonly frames: readonly FrameAt[]
}

/** Takes the frame's place into the index; inside a transaction. */
export type Commit = (frame: NewFrame, place: Place) => void

export class Tail {
  readonly #storage: PackStorage
  readonly #catalog: Catalog
  readonly #shareId: ShareId
  readonly #packBytes: number
  #number: number
  /** Durable bytes; 0: the pack is not there yet. */
  #bytes: number
  #contents = new ContentsDraft()
  #state: 'open' | 'unsure' | 'sealing' | 'sealed'

  constructor(storage: PackStorage, catalog: Catalog, shareId: ShareId, packBytes: number, found: TailState) {
    this.#storage = storage
    this.#catalog = catalog
    this.#shareId = shareId
    this.#packBytes = packBytes
    this.#number = found.number
    this.#bytes = found.bytes
    for (const frame of found.frames) this.#contents.add(frame.key, frame)
    // Whether the storage was told, nobody knows: it is told again.
    this.#state = found.isSealed ? 'sealing' : 'open'
  }

  /** The pack that is written to, which may not be there yet. */
  get number(): number {
    return this.#number
  }

  get bytes(): number {
    return this.#bytes
  }

  get isSealed(): boolean {
    return this.#state === 'sealing' || this.#state === 'sealed'
  }

  /**
   * Makes frames durable, then their places known; in as few writes as packs they take. `within` is called in the transaction
   * that makes the last of them known. Rejects as PackStorage.append.
   */
  async write(
    frames: readonly NewFrame[],
    commit: Commit = (frame, place) => this.#catalog.put(frame.key, place),
    within?: () => void,
  ): Promise<void> {
    for (let at = 0; at < frames.length; ) {
      await this.#settle()
      const count = this.#fitting(frames, at)
      if (count === 0) await this.seal()
      else {
        const isLast = at + count === frames.length
        await this.#append(frames.slice(at, at + count), commit, isLast ? within : undefined)
      }
      at += count
    }
  }

  /** Ends the pack, if anything is in it. */
  async seal(): Promise<void> {
    await this.#settle()
    if (this.#contents.count === 0) return
    const contents = this.#contents.frame(this.#bytes)
    await this.#appendBytes([frameHeader(this.#identity(), this.#bytes, contents), contents.payload])
    this.#catalog.transaction(() => this.#catalog.cover(this.#number, this.#bytes))
    this.#state = 'sealing'
    await this.#settle()
  }

  /** What was written of the pack is not there any more, and counts no longer: another one is begun. */
  abandon(): void {
    this.#number++
    this.#bytes = 0
    this.#contents = new ContentsDraft()
    this.#state = 'open'
  }

  /** Sees to it that the newest pack is not this one (T3). */
  async beginAfter(number: number): Promise<void> {
    await this.#settle()
    if (this.#number > number && this.#bytes === 0) await this.#append([], () => undefined)
  }

  /** Ends what a failure or a crash has left undone. */
  async #settle(): Promise<void> {
    const name = packName(this.#number)
    if (this.#state === 'unsure') {
      if (this.#bytes === 0) await this.#storage.remove(name)
      else await this.#storage.truncate(name, this.#bytes)
      this.#state = 'open'
    }
    if (this.#state === 'sealing') {
      await this.#storage.seal(name)
      this.#state = 'sealed'
    }
    if (this.#state === 'sealed') {
      this.#number++
      this.#bytes = 0
      this.#contents = new ContentsDraft()
      this.#state = 'open'
    }
  }

  /** How many of the frames from `at` on go into this pack; one at least goes into an empty one. */
  #fitting(frames: readonly NewFrame[], at: number): number {
    let bytes = this.#bytes
    let count = 0
    for (; at + count < frames.length && this.#contents.count + count < MAX_FRAMES; count++) {
      bytes += FRAME_HEADER_BYTES + frames[at + count]!.payload.length
      if (bytes > this.#packBytes && this.#contents.count + count > 0) break
    }
    return count
  }

  async #append(frames: readonly NewFrame[], commit: Commit, within?: () => void): Promise<void> {
    const identity = this.#identity()
    const header = this.#bytes === 0 ? [packHeader(identity)] : []
    // Thousands of small frames at a time: loops by number, without an object for each step, and one buffer for all headers.
    const count = frames.length
    const parts: Buffer[] = [...header]
    const places: Place[] = []
    const headers = Buffer.allocUnsafeSlow(count * FRAME_HEADER_BYTES)
    let offset = this.#bytes + (header[0]?.length ?? 0)
    for (let i = 0; i < count; i++) {
      const frame = frames[i]!
      const { length } = frame.payload
      const at = i * FRAME_HEADER_BYTES
      writeFrameHeader(headers, at, identity, offset, frame)
      parts.push(headers.subarray(at, at + FRAME_HEADER_BYTES), frame.payload)
      places.push({ pack: this.#number, offset, length })
      offset += FRAME_HEADER_BYTES + length
    }
    await this.#appendBytes(parts)
    for (let i = 0; i < count; i++) this.#contents.add(frames[i]!.key, places[i]!)
    this.#catalog.transaction(() => {
      for (let i = 0; i < count; i++) commit(frames[i]!, places[i]!)
      this.#catalog.cover(this.#number, this.#bytes)
      within?.()
    })
  }

  async #appendBytes(parts: readonly Buffer[]): Promise<void> {
    this.#state = 'unsure'
    await this.#storage.append(packName(this.#number), parts)
    this.#bytes += parts.reduce((sum, part) => sum + part.length, 0)
    this.#state = 'open'
  }

  #identity(): { shareId: Buffer; number: number } {
    return packIdentity(this.#shareId, this.#number)
  }
}
