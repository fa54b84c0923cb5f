// Two sockets joined: what one sends is forwarded to the other, no faster than it reads and than the limits allow. Holds
// at most one read (64 KiB) and one write buffer for each direction, whatever the two do; what is not read stays with
// the sender, by TCP's own window. The bytes are the two nodes' own; nothing here looks at them.
import type { Socket } from 'node:net'
import { Allowance } from '../core/allowance.js'

/** Bytes per second, exact over time: who has sent waits until it may send again, in the order of asking. */
export class Pace {
  readonly #allowance: Allowance | undefined
  /** As much as may be sent in one go: a twentieth of a second's worth, so that a slow pair's keep-alives are not held up. */
  readonly sliceBytes: number

  /** `bytesPerSecond` 0: no limit. */
  constructor(bytesPerSecond: number) {
    this.sliceBytes = bytesPerSecond === 0 ? Number.POSITIVE_INFINITY : Math.max(512, bytesPerSecond / 20)
    if (bytesPerSecond > 0) this.#allowance = new Allowance(this.sliceBytes, 1_000 / bytesPerSecond)
  }

  /** Books so many bytes; how long to wait before they are sent. */
  book(bytes: number, nowMs: number): number {
    if (this.#allowance === undefined) return 0
    this.#allowance.spend(bytes, nowMs)
    return this.#allowance.waitMs(nowMs)
  }
}

export interface PairOptions {
  /** Limits of this pair and of all together. */
  readonly paces: readonly Pace[]
  /** So many bytes were handed on. */
  readonly onBytes: (bytes: number) => void
  readonly now: () => number
}

export class Pair {
  readonly #ways: readonly [Way, Way]

  constructor(a: Socket, b: Socket, options: PairOptions) {
    this.#ways = [new Way(a, b, options), new Way(b, a, options)]
  }

  /** Why it is of no use any more, if for `idleMs` nothing has moved, or one end has read nothing of what waits for it. */
  fault(idleMs: number, nowMs: number): string | undefined {
    if (this.#ways.every(({ movedMs }) => nowMs - movedMs >= idleMs)) return 'idle'
    return this.#ways.some((way) => way.isHeldUp && nowMs - way.movedMs >= idleMs)
      ? 'does not read'
      : undefined
  }

  /** Bytes that are held for both directions. */
  get heldBytes(): number {
    return this.#ways.reduce((sum, way) => sum + way.heldBytes, 0)
  }

  /** Reads no more; what was read already is still sent. */
  stop(): void {
    for (const way of this.#ways) way.stop()
  }
}

/** One direction. */
class Way {
  readonly #from: Socket
  readonly #to: Socket
  readonly #o: PairOptions
  readonly #sliceBytes: number
  #timer: NodeJS.Timeout | undefined
  /** Read and not written yet. */
  #rest: Buffer = Buffer.alloc(0)
  #isStopped = false
  movedMs: number

  constructor(from: Socket, to: Socket, options: PairOptions) {
    this.#from = from
    this.#to = to
    this.#o = options
    this.#sliceBytes = Math.min(...options.paces.map(({ sliceBytes }) => sliceBytes))
    this.movedMs = options.now()
    from.on('data', this.#onData)
    from.on('end', () => to.end())
    from.on('close', () => clearTimeout(this.#timer))
    to.on('close', () => this.stop())
  }

  get isHeldUp(): boolean {
    return this.#to.writableLength > 0
  }

  get heldBytes(): number {
    return this.#rest.length + this.#to.writableLength
  }

  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    clearTimeout(this.#timer)
    this.#from.removeListener('data', this.#onData)
    this.#from.pause()
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#rest = chunk
    this.#from.pause()
    this.#next()
  }

  #next(): void {
    if (this.#isStopped) return
    if (this.#rest.length === 0) {
      this.#from.resume()
      return
    }
    const part = this.#rest.subarray(0, this.#sliceBytes)
    const nowMs = this.#o.now()
    const waitMs = Math.max(...this.#o.paces.map((pace) => pace.book(part.length, nowMs)))
    if (waitMs < 1) this.#write(part)
    else this.#timer = setTimeout(() => this.#write(part), waitMs)
  }

  #write(part: Buffer): void {
    if (this.#isStopped || !this.#to.writable) return
    this.#rest = this.#rest.subarray(part.length)
    const isRoomLeft = this.#to.write(part, () => {
      this.movedMs = this.#o.now()
    })
    this.#o.onBytes(part.length)
    if (isRoomLeft) this.#next()
    else this.#to.once('drain', () => this.#next())
  }
}
