// What the process costs, as a scrape tells it. prom-client has metrics of the same kind, which keep a timer of 10 ms and an
// observer of the garbage collector running for ever; here nothing runs between scrapes but, while somebody scrapes, the
// measuring of the event loop's delay.
import { readdirSync, readFileSync } from 'node:fs'
import { type IntervalHistogram, monitorEventLoopDelay, performance } from 'node:perf_hooks'

export interface ProcessFacts {
  readonly nodeVersion: string
  /** Seconds since 1970. */
  readonly startTimeS: number
  readonly cpuS: number
  readonly residentBytes: number
  /** Undefined where the system does not tell. */
  readonly openFds: number | undefined
  /** Undefined also where there is no limit. */
  readonly maxFds: number | undefined
  readonly eventLoop: {
    readonly busyS: number
    /** Since the reading before; undefined at the first. */
    readonly delay: Delay | undefined
  }
}

export interface Delay {
  readonly meanS: number
  readonly p99S: number
  readonly maxS: number
}

/** How often the event loop is asked whether it is late: a shorter delay may go unseen, a shorter time costs wake-ups. */
const RESOLUTION_MS = 20
/** Without a reading for so long, nobody scrapes any more. */
const FORGOTTEN_MS = 5 * 60_000
const NS_PER_S = 1e9

export class ProcessMeter {
  #delays: IntervalHistogram | undefined
  #forgotten: NodeJS.Timeout | undefined

  read(): ProcessFacts {
    const { user, system } = process.cpuUsage()
    return {
      nodeVersion: process.version,
      startTimeS: performance.timeOrigin / 1000,
      cpuS: (user + system) / 1e6,
      residentBytes: process.memoryUsage.rss(),
      openFds: openFds(),
      maxFds: maxFds(),
      eventLoop: { busyS: performance.eventLoopUtilization().active / 1000, delay: this.#delay() },
    }
  }

  #delay(): Delay | undefined {
    clearTimeout(this.#forgotten)
    this.#forgotten = setTimeout(() => this.#forget(), FORGOTTEN_MS).unref()
    const delays = this.#delays
    if (delays === undefined) {
      this.#delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
      this.#delays.enable()
      return undefined
    }
    // It tells the time between two rounds of its timer, which is the resolution where nothing is late.
    const late = (ns: number): number => Math.max(0, ns / NS_PER_S - RESOLUTION_MS / 1000)
    const delay =
      delays.count === 0
        ? undefined
        : { meanS: late(delays.mean), p99S: late(delays.percentile(99)), maxS: late(delays.max) }
    delays.reset()
    return delay
  }

  #forget(): void {
    this.#delays?.disable()
    this.#delays = undefined
  }
}

function openFds(): number | undefined {
  try {
    // One of them is that of the listing itself.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    // No Linux, or no /proc: then it is not told.
    return undefined
  }
}

function maxFds(): number | undefined {
  try {
    const found = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    return found === null ? undefined : Number(found[1])
  } catch {
    // As above.
    return undefined
  }
}
