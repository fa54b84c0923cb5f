// The limits of all shares together and of each (X4): from the configuration, by the schedule, or as somebody has set them
// since. What holds now is looked at again when the schedule says so, and every LOOK_EVERY_MS for clocks that were set and
// machines that slept.
import {
  type Direction,
  heldAt,
  heldUntil,
  type LimitRule,
  type LocalTime,
  type Rates,
} from '../core/limit-schedule.js'
import type { ExchangeOptions, PeerLink } from '../exchange/exchange-types.js'
import { Gate, type PacedLane, Pacer, ShareRate } from '../exchange/pacer.js'
import { parseEndpoint, scopeOf } from '../swarm/endpoint.js'

const LOOK_EVERY_MS = 60_000

/** What the configuration says of rates, for all shares or for one; bytes per second, 0: no limit. */
export interface ConfiguredLimits {
  readonly downloadLimit: number
  readonly uploadLimit: number
  readonly limits: readonly LimitRule[]
}

/** The same of all shares together. */
export interface ConfiguredRates extends ConfiguredLimits {
  /** Whether limits hold for peers on the local network, too. */
  readonly rateLimitLocalPeers: boolean
}

/** What holds in one direction. */
export interface HeldLimit {
  /** Bytes per second, 0: no limit. */
  readonly rate: number
  /** Who says so; 'set': somebody has since the daemon started. */
  readonly by: 'set' | 'schedule' | 'configuration'
  /** When the schedule will change it, milliseconds since 1970; undefined: it will not. */
  readonly untilMs: number | undefined
}

/** What holds for one share, or for all. */
export interface HeldLimits {
  readonly download: HeldLimit
  readonly upload: HeldLimit
}

/** Bytes per second, 0: no limit; what is undefined stays. */
export interface GivenRates {
  readonly download?: number | undefined
  readonly upload?: number | undefined
}

const DIRECTIONS: readonly Direction[] = ['download', 'upload']
const NONE: ConfiguredLimits = { downloadLimit: 0, uploadLimit: 0, limits: [] }

/** What one share, or all together, may: configured, scheduled and set. */
class Scope {
  #configured: ConfiguredLimits
  #set: GivenRates = {}

  constructor(configured: ConfiguredLimits) {
    this.#configured = configured
  }

  get hasSchedule(): boolean {
    return this.#configured.limits.length > 0
  }

  /** What was set stays until the configuration says something else of that direction. */
  configure(now: ConfiguredLimits): void {
    const before = this.#configured
    this.#configured = now
    for (const direction of DIRECTIONS)
      if (said(before, direction) !== said(now, direction))
        this.#set = { ...this.#set, [direction]: undefined }
  }

  set(rates: GivenRates): void {
    for (const direction of DIRECTIONS)
      if (rates[direction] !== undefined) this.#set = { ...this.#set, [direction]: rates[direction] }
  }

  /** What was set holds no longer. */
  reset(): void {
    this.#set = {}
  }

  rate(direction: Direction, nowMs: number): number {
    return (
      this.#set[direction] ?? heldAt(this.#configured.limits, this.#base, direction, localTime(nowMs)).rate
    )
  }

  held(nowMs: number): HeldLimits {
    return { download: this.#held('download', nowMs), upload: this.#held('upload', nowMs) }
  }

  /** When the schedule changes something, undefined: never. */
  untilMs(nowMs: number): number | undefined {
    const { download, upload } = this.held(nowMs)
    const ends = [download.untilMs, upload.untilMs].filter((end) => end !== undefined)
    return ends.length === 0 ? undefined : Math.min(...ends)
  }

  get #base(): Rates {
    return { download: this.#configured.downloadLimit, upload: this.#configured.uploadLimit }
  }

  #held(direction: Direction, nowMs: number): HeldLimit {
    const set = this.#set[direction]
    if (set !== undefined) return { rate: set, by: 'set', untilMs: undefined }
    const { limits } = this.#configured
    const { rate, isScheduled } = heldAt(limits, this.#base, direction, localTime(nowMs))
    const untilMs = heldUntil(limits, this.#base, direction, nowMs, localTime)
    return { rate, by: isScheduled ? 'schedule' : 'configuration', untilMs }
  }
}

/** One share's limits. */
export class ShareLimits {
  /** For its exchange. */
  readonly forExchange: Required<Pick<ExchangeOptions, 'downloadLimit' | 'uploadLimit' | 'exempt'>>
  /** Resolves when so many bytes may be sent to a server on the internet: limits hold for that as for peers. */
  readonly paceUpload: (bytes: number) => Promise<void>
  readonly scope: Scope
  readonly download: Gate
  readonly upload: Gate

  /** By RateLimits.share(). */
  constructor(scope: Scope, download: Gate, upload: Gate, exempt: (peer: PeerLink) => boolean) {
    this.scope = scope
    this.download = download
    this.upload = upload
    this.forExchange = { downloadLimit: download, uploadLimit: upload, exempt }
    this.paceUpload = (bytes) => turnFor(upload, bytes)
  }

  get held(): HeldLimits {
    return this.scope.held(Date.now())
  }
}

export class RateLimits {
  readonly download: Pacer
  readonly upload: Pacer
  readonly #nowMs: () => number
  readonly #scope: Scope
  readonly #shares = new Set<ShareLimits>()
  readonly #local = new WeakMap<object, boolean>()
  #holdLocally: boolean
  #timer: NodeJS.Timeout | undefined

  /** `nowMs`: milliseconds since 1970. */
  constructor(configured: ConfiguredRates, nowMs: () => number = Date.now) {
    this.#nowMs = nowMs
    this.#scope = new Scope(configured)
    this.#holdLocally = configured.rateLimitLocalPeers
    this.download = new Pacer(0)
    this.upload = new Pacer(0)
    this.apply()
  }

  /** Whether limits hold for peers on the local network, too. */
  get holdLocally(): boolean {
    return this.#holdLocally
  }

  /** For all shares together. */
  get held(): HeldLimits {
    return this.#scope.held(this.#nowMs())
  }

  /** A share begins; it has its part of the limits for all, and its own. */
  share(configured: ConfiguredLimits = NONE): ShareLimits {
    const gates = [new Gate(this.download, new ShareRate()), new Gate(this.upload, new ShareRate())] as const
    const share = new ShareLimits(new Scope(configured), ...gates, (peer) => this.isExempt(peer))
    this.#shares.add(share)
    this.apply()
    return share
  }

  /** It has ended. */
  forget(share: ShareLimits): void {
    this.#shares.delete(share)
  }

  /** The configuration was read anew: what it changed holds from now on, what it did not stays as it was set. */
  configure(now: ConfiguredRates): void {
    this.#scope.configure(now)
    if (now.rateLimitLocalPeers !== this.#holdLocally) {
      this.#holdLocally = now.rateLimitLocalPeers
      for (const pacer of [this.download, this.upload]) pacer.rebase()
    }
    this.apply()
  }

  /** The same for one share. */
  configureShare(share: ShareLimits, now: ConfiguredLimits): void {
    share.scope.configure(now)
    this.apply()
  }

  /** Holds until a restart, reset(), or the configuration says something else; for all, or one share. */
  set(rates: GivenRates, share?: ShareLimits): void {
    const scope = share?.scope ?? this.#scope
    scope.set(rates)
    this.apply()
  }

  /** As the configuration says again. */
  reset(share?: ShareLimits): void {
    const scope = share?.scope ?? this.#scope
    scope.reset()
    this.apply()
  }

  /** Looks at no schedule any more. */
  close(): void {
    clearTimeout(this.#timer)
    this.#shares.clear()
  }

  /** Makes what holds now hold. Called by its timer. */
  apply(): void {
    const nowMs = this.#nowMs()
    this.download.bytesPerSecond = this.#scope.rate('download', nowMs)
    this.upload.bytesPerSecond = this.#scope.rate('upload', nowMs)
    for (const { scope, download, upload } of this.#shares) {
      this.download.setRate(download.rate, scope.rate('download', nowMs))
      this.upload.setRate(upload.rate, scope.rate('upload', nowMs))
    }
    this.#lookAgain(nowMs)
  }

  /** Whether a peer is left out of the limits. `address` is "host:port" of the device itself. */
  isExempt(peer: {
    readonly address?: string
    readonly transport?: string
    readonly isProxied?: boolean
  }): boolean {
    // Through a relay or a proxy it is never near: its address means something there, and not here.
    if (this.#holdLocally || peer.transport === 'relayed' || peer.isProxied === true) return false
    let isLocal = this.#local.get(peer)
    if (isLocal === undefined) {
      isLocal = isLocalAddress(peer.address ?? '')
      this.#local.set(peer, isLocal)
    }
    return isLocal
  }

  #lookAgain(nowMs: number): void {
    clearTimeout(this.#timer)
    const scopes = [this.#scope, ...[...this.#shares].map(({ scope }) => scope)].filter(
      (scope) => scope.hasSchedule,
    )
    if (scopes.length === 0) return
    const ends = scopes.map((scope) => scope.untilMs(nowMs)).filter((end) => end !== undefined)
    const waitMs = Math.max(0, Math.min(LOOK_EVERY_MS, ...ends.map((end) => end - nowMs)))
    this.#timer = setTimeout(() => this.apply(), waitMs).unref()
  }
}

/** Waits for one turn of its own. */
function turnFor(gate: Gate, bytes: number): Promise<void> {
  if (gate.isFree) return Promise.resolve()
  return new Promise((resolve) => {
    let isDone = false
    const lane: PacedLane = {
      isSmall: false,
      go: () => {
        if (isDone) {
          gate.pacer.drop(lane)
          return 0
        }
        isDone = true
        resolve()
        return bytes
      },
    }
    gate.want(lane, lane)
  })
}

/** All that the configuration says of one direction. */
function said({ downloadLimit, uploadLimit, limits }: ConfiguredLimits, direction: Direction): string {
  const base = direction === 'download' ? downloadLimit : uploadLimit
  return JSON.stringify([base, limits.filter((rule) => rule[direction] !== undefined)])
}

function localTime(ms: number): LocalTime {
  const at = new Date(ms)
  return { day: at.getDay(), minute: at.getHours() * 60 + at.getMinutes() }
}

function isLocalAddress(address: string): boolean {
  const host = parseEndpoint(address)?.host
  const scope = host === undefined ? undefined : scopeOf(host)
  return scope !== undefined && scope !== 'public'
}
