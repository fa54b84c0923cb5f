// Asks the daemons, each at its own pace, and keeps what they said as a world (model/world.ts). Only what can be seen is
// asked for: conflicts, drift and the map while their screens are shown. Promises: no failure comes out of it, a daemon
// that does not answer is shown as such and asked again; close() ends all of it.
import type { ControlClient } from '../control/client.js'
import type { EventReport } from '../control/schema-events.js'
import { ShoalError, toShoalError } from '../core/error.js'
import { EventStream } from './event-stream.js'
import type { DaemonView, RateHistory, World } from './model/world.js'
import type { Target } from './targets.js'

/** What is looked at now. */
export interface Interest {
  readonly conflicts: boolean
  readonly drift: boolean
  /** The share whose map is shown, and into how many buckets. */
  readonly map: { readonly daemon: string; readonly share: number; readonly width: number } | undefined
}

export type SourceClient = Pick<ControlClient, 'status' | 'live' | 'conflicts' | 'drift' | 'availability'>

export interface SourceOptions {
  readonly targets: readonly Target[]
  readonly clientOf: (storagePath: string) => SourceClient
  /** Milliseconds between two looks at what moves. */
  readonly intervalMs: number
  readonly onChange: () => void
  readonly nowMs?: () => number
  /** Without: events are not followed. */
  readonly followEvents?: boolean
}

export const NO_INTEREST: Interest = { conflicts: false, drift: false, map: undefined }

/** Values kept for sparklines and charts. */
const HISTORY = 160
const EVENTS_KEPT = 500
/** The whole status, and lists: less often than what moves. */
const SLOW_MS = 2000
/** A daemon that did not answer is asked again after this. */
const RETRY_MS = 2000
/** One that is busy answers a little later; one that hangs is told of. */
const ANSWER_MS = 10_000

export class Source {
  readonly #options: SourceOptions
  readonly #watchers: Watcher[]
  #interest = NO_INTEREST

  constructor(options: SourceOptions) {
    this.#options = options
    this.#watchers = options.targets.map((target) => new Watcher(target, options, () => this.#interest))
  }

  world(): World {
    return {
      daemons: this.#watchers.map(({ view }) => view),
      nowMs: (this.#options.nowMs ?? Date.now)(),
    }
  }

  start(): void {
    for (const watcher of this.#watchers) watcher.start()
  }

  /** One look at everything; resolves when all have answered or have not. */
  async once(interest: Interest): Promise<World> {
    this.#interest = interest
    await Promise.all(this.#watchers.map((watcher) => watcher.lookOnce()))
    return this.world()
  }

  /** What is looked at from now on is asked for at once. */
  setInterest(interest: Interest): void {
    const before = this.#interest
    this.#interest = interest
    const isMore =
      (interest.conflicts && !before.conflicts) ||
      (interest.drift && !before.drift) ||
      (interest.map !== undefined && JSON.stringify(interest.map) !== JSON.stringify(before.map))
    if (isMore) for (const watcher of this.#watchers) watcher.askLists()
  }

  /** After something was done: what it has changed is to be seen. */
  lookAgain(daemon: string): void {
    for (const watcher of this.#watchers) if (watcher.view.key === daemon) watcher.askLists()
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }
}

/** One daemon. */
class Watcher {
  view: DaemonView
  readonly #target: Target
  readonly #options: SourceOptions
  readonly #client: SourceClient | undefined
  readonly #interest: () => Interest
  #events: EventStream | undefined
  #fast: NodeJS.Timeout | undefined
  #slow: NodeJS.Timeout | undefined
  #isAskingLists = false
  #closed = false

  constructor(target: Target, options: SourceOptions, interest: () => Interest) {
    this.#target = target
    this.#options = options
    this.#interest = interest
    const { name, storagePath, fault } = target
    this.#client = storagePath === undefined ? undefined : options.clientOf(storagePath)
    this.view = {
      key: storagePath ?? `?${name}`,
      name,
      reach: storagePath === undefined ? { type: 'down', why: fault } : { type: 'asking' },
      ...{ status: undefined, live: undefined, history: [], conflicts: undefined, drift: undefined },
      ...{ availability: [], events: [] },
    }
  }

  start(): void {
    const { storagePath } = this.#target
    if (storagePath === undefined) return
    if (this.#options.followEvents === true)
      this.#events = new EventStream(storagePath, (event) => this.#heard(event))
    void this.#runSlow().then(() => this.#runFast())
  }

  async lookOnce(): Promise<void> {
    await this.#ask()
    await this.#askLive()
    await this.#askLists()
  }

  askLists(): void {
    clearTimeout(this.#slow)
    void this.#runSlow()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#fast)
    clearTimeout(this.#slow)
    this.#events?.close()
  }

  async #runFast(): Promise<void> {
    if (this.#closed) return
    if (this.view.reach.type === 'up') await this.#askLive()
    if (this.#closed) return
    clearTimeout(this.#fast)
    this.#fast = setTimeout(() => void this.#runFast(), this.#options.intervalMs)
  }

  async #runSlow(): Promise<void> {
    if (this.#closed || this.#isAskingLists) return
    this.#isAskingLists = true
    await this.#ask()
    if (this.view.reach.type === 'up') await this.#askLists()
    this.#isAskingLists = false
    if (this.#closed) return
    clearTimeout(this.#slow)
    this.#slow = setTimeout(() => void this.#runSlow(), this.view.reach.type === 'up' ? SLOW_MS : RETRY_MS)
  }

  async #ask(): Promise<void> {
    const client = this.#client
    if (client === undefined) return
    try {
      const status = await client.status(inTime())
      this.#set({ status, reach: { type: 'up' } })
    } catch (error) {
      this.#down(error)
    }
  }

  async #askLive(): Promise<void> {
    const client = this.#client
    if (client === undefined || this.view.reach.type !== 'up') return
    try {
      const live = await client.live(inTime())
      const history = live.shares.map(({ downRate, upRate }, place): RateHistory => {
        const { down, up } = this.view.history[place] ?? { down: [], up: [] }
        return { down: [...down, downRate].slice(-HISTORY), up: [...up, upRate].slice(-HISTORY) }
      })
      this.#set({ live, history })
    } catch (error) {
      // A daemon of an earlier version does without.
      if (!(error instanceof ShoalError && error.code === 'NOT_FOUND')) this.#down(error)
    }
  }

  /** What is looked at besides the shares; of what there is none, the status says so already. */
  async #askLists(): Promise<void> {
    const client = this.#client
    const { status } = this.view
    if (client === undefined || status === undefined) return
    const { conflicts, drift, map } = this.#interest()
    try {
      if (conflicts) {
        const isAny = status.shares.some((share) => share.conflicts > 0)
        this.#set({ conflicts: isAny ? await client.conflicts(inTime()) : [] })
      }
      if (drift) {
        const isAny = status.shares.some((share) => share.drift + share.driftDetail.acknowledged > 0)
        this.#set({ drift: isAny ? await client.drift(inTime()) : [] })
      }
      if (map !== undefined && map.daemon === this.view.key) {
        const { share, width } = map
        const report = await client.availability({ share, width }, inTime())
        const availability = status.shares.map((_, at) =>
          at === share ? report : this.view.availability[at],
        )
        this.#set({ availability })
      }
    } catch (error) {
      // The next look at the status tells whether it is there at all.
      if (toShoalError(error).code === 'DAEMON_UNREACHABLE') this.#down(error)
    }
  }

  #heard(event: EventReport): void {
    this.#set({ events: [event, ...this.view.events].slice(0, EVENTS_KEPT) })
  }

  #down(error: unknown): void {
    const { message } = toShoalError(error)
    this.#set({ reach: { type: 'down', why: message }, live: undefined, history: [] })
  }

  #set(changes: Partial<DaemonView>): void {
    if (this.#closed) return
    this.view = { ...this.view, ...changes }
    this.#options.onChange()
  }
}

function inTime(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(ANSWER_MS) }
}
