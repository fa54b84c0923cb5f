// Peers that do not answer (G3, G6): what they were asked for moves on, and they are asked for nothing more until they answer,
// or have proved with one block that they do.
import type { Picker } from '../core/picker.js'
import type { Source } from './fetch-source.js'
import type { RunFetch } from './runs/run-fetch.js'

export interface StallsOptions {
  readonly picker: Picker
  readonly runs: RunFetch
  /** So many more bytes are on their way from peers that answer; fewer, if negative. */
  readonly countInFlight: (bytes: number) => void
  readonly changed: (source: Source) => void
}

export class Stalls {
  readonly #o: StallsOptions

  constructor(options: StallsOptions) {
    this.#o = options
  }

  /** Notices what did not happen. */
  look(source: Source, nowMs: number): void {
    if (source.isStalling(nowMs)) this.#stall(source, nowMs)
    else if (source.isRetryDue(nowMs)) this.#retry(source, nowMs)
  }

  /** It has answered something. */
  progressed(source: Source, nowMs: number): void {
    source.progressed(nowMs)
    if (source.stalled) this.#revive(source)
  }

  #stall(source: Source, nowMs: number): void {
    this.#o.runs.giveBack(source)
    source.stalled = true
    source.bePatient(nowMs)
    this.#o.countInFlight(-source.pieceBytes)
    this.#o.picker.stall(source.number)
    this.#o.changed(source)
  }

  #retry(source: Source, nowMs: number): void {
    if (source.blockCount > 0) {
      source.bePatient(nowMs)
      source.askAgain(nowMs)
      return
    }
    // Others have delivered meanwhile, or nobody wants it any more: no answer will come by itself.
    source.onTrial = true
    this.#revive(source)
  }

  #revive(source: Source): void {
    source.stalled = false
    this.#o.countInFlight(source.pieceBytes)
    this.#o.picker.revive(source.number)
    this.#o.changed(source)
  }
}
