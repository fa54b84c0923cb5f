// Whether a blind node that lacks pieces holds all the same what the share needs, for those who wait. Its own count does not
// tell: it cannot read, so what was replaced before anybody sent it counts there until its writer's next checkpoint, and
// nobody has it any more. It is asked what it holds, and that is held against the heads of this device's index.
//
// H1. "Yes" is about one view of the feeds, which the node covers and this device had before and after it looked; about one
//     inquiry, after which the node was asked; and about one state of the node: one that loses pieces says so in another.

import { countingCopies } from '../../core/copies.js'
import { covers, sameViews } from '../../core/head.js'
import type { DeviceId } from '../../core/ids.js'
import type { LivePieces } from '../../core/live-pieces.js'
import type { FeedView } from '../../core/record-public.js'
import type { Log } from '../../ports/log.js'
import type { HoldingsTalk } from './holdings-talk.js'
import { inSlices } from './slices.js'

export interface LiveHeldOptions {
  readonly talk: Pick<HoldingsTalk, 'ask'>
  readonly walk: () => Generator<unknown, LivePieces>
  /** How much of each feed this device has read, those aside that nobody can follow any more. */
  readonly view: () => FeedView
  readonly isStopped: () => boolean
  readonly log: Log
  /** Milliseconds of a clock that never goes back. Default: this machine's. */
  readonly monotonicMs?: () => number
}

/** What is asked about. */
export interface HeldQuestion {
  readonly inquiry: string
  readonly device: DeviceId
  /** Of its newest state. */
  readonly sequence: number
}

interface Look extends Omit<HeldQuestion, 'inquiry'> {
  /** It began after each of these was made. */
  readonly inquiries: readonly string[]
  readonly view: FeedView
  /** Undefined: it is under way. */
  isHeld: boolean | undefined
  /** When a node that lacked something may be looked at again. */
  notBeforeMs: number
}

const ANSWER_MS = 10_000
const AGAIN_MS = 500
/** Nor before this many times as long as it took. */
const REST_COST = 5
/** Several may wait at one time, and one look does for all that asked before it. */
const MAX_INQUIRIES = 128
/** Of every piece, one copy: the node's. */
const ON_ONE = { min: 1, offsite: 0 }

export class LiveHeld {
  readonly #o: LiveHeldOptions
  readonly #looks = new Map<DeviceId, Look>()

  constructor(options: LiveHeldOptions) {
    this.#o = options
  }

  /** Whether it is known that a connected node holds all that is live; if it is not, that is found out for whoever asks again. */
  isKnown({ device, inquiry, sequence }: HeldQuestion): boolean {
    const view = this.#o.view()
    const last = this.#looks.get(device)
    if (last?.inquiries.includes(inquiry) && this.wasHeld({ device, sequence })) return true
    const isDue = last === undefined || (last.isHeld !== undefined && this.#nowMs() >= last.notBeforeMs)
    if (isDue && !this.#o.isStopped()) {
      const before = last?.inquiries.filter((each) => each !== inquiry) ?? []
      const inquiries = [...before, inquiry].slice(-MAX_INQUIRIES)
      const look: Look = { device, sequence, inquiries, view, isHeld: undefined, notBeforeMs: 0 }
      this.#looks.set(device, look)
      void this.#find(look)
    }
    return false
  }

  /** Whether it was found out, for whoever asked last, and the node and this device stand where they stood then. */
  wasHeld({ device, sequence }: Omit<HeldQuestion, 'inquiry'>): boolean {
    const last = this.#looks.get(device)
    return last?.isHeld === true && last.sequence === sequence && sameViews(last.view, this.#o.view())
  }

  async #find(look: Look): Promise<void> {
    const { log, isStopped } = this.#o
    const startMs = this.#nowMs()
    let busyMs = 0
    try {
      const found = await this.#look(look)
      busyMs = found?.busyMs ?? 0
      look.isHeld = found?.value ?? false
    } catch (err) {
      look.isHeld = false
      busyMs = this.#nowMs() - startMs
      if (!isStopped())
        log.warn({ err, peer: look.device.slice(0, 8) }, 'cannot find out what a blind node holds')
    }
    const restMs = REST_COST * busyMs
    look.notBeforeMs = this.#nowMs() + (look.isHeld ? restMs : Math.max(AGAIN_MS, restMs))
  }

  async #look({ device, view }: Look): Promise<{ value: boolean; busyMs: number } | undefined> {
    const { talk, walk, isStopped } = this.#o
    const answer = (await talk.ask({ looksFirst: true, timeoutMs: ANSWER_MS }, [device])).get(device)
    if (answer === undefined || answer.standing === 'halted' || answer.standing === 'paused') return undefined
    if (!covers(answer.view, view) || isStopped()) return undefined
    const walked = await inSlices(walk(), isStopped)
    if (walked === undefined) return undefined
    const holder = { isOffsite: false, feeds: answer.feeds }
    const counted = await inSlices(countingCopies(walked.value, [holder], ON_ONE), isStopped)
    if (counted === undefined) return undefined
    // What changed while the index was read may be in it or not.
    const isStill = sameViews(view, this.#o.view())
    return {
      value: isStill && counted.value.none.pieces === 0,
      busyMs: walked.busyMs + counted.busyMs,
    }
  }

  #nowMs(): number {
    return this.#o.monotonicMs?.() ?? performance.now()
  }
}
