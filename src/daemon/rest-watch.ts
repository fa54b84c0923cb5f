// Notices that the daemon has come to rest after work, by the processor time it takes, and gives back the memory that the
// work has left: V8 would collect its garbage when there is more work, and malloc keeps what was freed for the next one,
// either of which may be a day away (docs/decisions/0063).
import { fromLibc } from '../ports/libc.js'
import { trafficRooms } from '../ports/rooms.js'

/** How often it looks: memory is given back so long after the end of work, twice that at the latest. */
export const LOOK_MS = 15_000
/** Of processor time between two looks: below, it rests. */
const REST_SHARE = 0.03
/** Less work than this leaves nothing worth the collection, which takes some 50 ms. Milliseconds of processor time. */
const WORTH_MS = 1000

export interface RestWatchOptions {
  /** Milliseconds of processor time that the process has taken so far. Default: its own. */
  readonly cpuMs?: () => number
  /** Default: giveBackMemory. */
  readonly onRest?: () => void
}

export class RestWatch {
  readonly #cpuMs: () => number
  readonly #onRest: () => void
  /** At the last look. */
  #lookedMs: number
  /** When memory was given back last. */
  #restedMs = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: RestWatchOptions = {}) {
    this.#cpuMs = options.cpuMs ?? ownCpuMs
    this.#onRest = options.onRest ?? giveBackMemory
    this.#lookedMs = this.#cpuMs()
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Compares with the last look; called by the timer. */
  look(): void {
    const now = this.#cpuMs()
    const isResting = now - this.#lookedMs < REST_SHARE * LOOK_MS
    this.#lookedMs = now
    if (!isResting || now - this.#restedMs < WORTH_MS) return
    this.#onRest()
    this.#restedMs = this.#lookedMs = this.#cpuMs()
  }
}

function ownCpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}

/** glibc's alone; of another libc, bin/shoal touches no settings either. */
const mallocTrim = fromLibc<(keepBytes: number) => number>('int malloc_trim(size_t pad)')

/** Lets idle rooms go, collects garbage, where bin/shoal has given the flag for it, and has malloc give back what is free, where it can. */
export function giveBackMemory(): void {
  trafficRooms.clear()
  globalThis.gc?.()
  mallocTrim()?.(0)
}
