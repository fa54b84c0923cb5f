// How reports travel (docs/design.md, "Reports"): a device sends its own to those it is connected to; of all others, peers
// tell each other the sequence numbers, and each asks one peer at a time for what it lacks. So a report of 200 KiB goes to
// each member about once, however many connections there are.
//
//   C1  A report is taken from its own device, or from a peer that was asked for it; anything else is not even looked at.
//   C2  Nothing piles up for a peer that does not read: what it is to get is a set of devices, and bytes are taken when the
//       connection has room.
//   C3  A device counts as up to date here only if it is connected and has told, on this connection, of no report that is
//       newer than the one kept.
import { Allowance } from '../../core/allowance.js'
import { claimedMaker } from '../../core/envelope.js'
import type { DeviceId } from '../../core/ids.js'
import type { Log } from '../../ports/log.js'
import { MAX_REPORT_LIST, type ReportSequence } from '../../swarm/report-messages.js'
import type { SharePeer } from '../../swarm/share-channel.js'

export type ReportPeer = Pick<
  SharePeer,
  'device' | 'isDrained' | 'sendReports' | 'sendReportSequences' | 'sendReportWants'
>

/** Where reports are kept. */
export interface ReportShelf {
  /** Every device with a report that can be told of, this one included. */
  devices(): Iterable<DeviceId>
  sequenceOf(device: DeviceId): number | undefined
  bytesOf(device: DeviceId): Buffer | undefined
  /** Whether a report of this device and sequence would be taken. */
  wants(device: DeviceId, sequence: number): boolean
  /** Checks a report and keeps it if it is new; `from` brought it. */
  take(bytes: Buffer, from: DeviceId): 'new' | 'known' | 'refused'
  /** Runs what takes several as one. */
  together(body: () => void): void
}

interface Session {
  readonly peer: ReportPeer
  /** Reports of its own that it sends without being asked. */
  readonly allowance: Allowance
  /** The sequence of its own newest report; undefined: it has not told. */
  ownSequence: number | undefined
  readonly toSend: Set<DeviceId>
  readonly toTell: Set<DeviceId>
  readonly toAsk: Set<DeviceId>
}

/** A report that was asked for. */
interface Asked {
  /** Who may still answer, and with which sequence at least. */
  readonly of: Map<Session, number>
  /** Who has it, too, or has a newer one. */
  readonly others: Map<Session, number>
  sinceMs: number
}

type Work = 'tell' | 'ask' | 'send' | 'sweep'

/** An honest device has 8 and one every 5 s (own-report.ts). */
const OWN_BURST = 32
const OWN_REFILL_MS = 1000
/** What is told and asked in so long goes together; a peer takes 25 lists of each a second. */
const TELL_MS = 100
const ASK_MS = 50
const SEND_MS = 50
const SEND_BYTES = 512 * 1024
/** After so long without an answer another one is asked, and after so long nobody is waited for. */
const ANOTHER_MS = 5000
const FORGET_MS = 60_000
const SWEEP_MS = 1000

export class ReportCourier {
  readonly #own: DeviceId
  readonly #shelf: ReportShelf
  readonly #log: Log
  readonly #clock: () => number
  readonly #sessions = new Map<ReportPeer, Session>()
  readonly #asked = new Map<DeviceId, Asked>()
  readonly #timers = new Map<Work, NodeJS.Timeout>()
  #stopped = false

  /** `clock` is in milliseconds and never goes back. */
  constructor(own: DeviceId, shelf: ReportShelf, log: Log, clock: () => number) {
    this.#own = own
    this.#shelf = shelf
    this.#log = log
    this.#clock = clock
  }

  /** A peer has come: tells it what there is. */
  greet(peer: ReportPeer): void {
    const session: Session = {
      peer,
      allowance: new Allowance(OWN_BURST, OWN_REFILL_MS),
      ownSequence: undefined,
      toSend: new Set(),
      toTell: new Set(this.#shelf.devices()),
      toAsk: new Set(),
    }
    this.#sessions.set(peer, session)
    this.#tell(session)
  }

  /** A peer is gone. */
  leave(peer: ReportPeer): void {
    const session = this.#sessions.get(peer)
    if (session === undefined) return
    this.#sessions.delete(peer)
    for (const [device, asked] of this.#asked) {
      asked.others.delete(session)
      if (asked.of.delete(session) && (asked.of.size === 0 || asked.others.size > 0))
        this.#askNext(device, asked)
    }
  }

  /** Whether a device is connected and has nothing newer to say than what is kept here. */
  isCurrent(device: DeviceId): boolean {
    const held = this.#shelf.sequenceOf(device) ?? -1
    for (const { peer, ownSequence } of this.#sessions.values())
      if (peer.device === device && ownSequence !== undefined && ownSequence <= held) return true
    return false
  }

  /** This device has a new report. */
  push(): void {
    for (const session of this.#sessions.values()) {
      session.toSend.add(this.#own)
      this.#send(session)
    }
  }

  /** Asks a peer for a device's report, whichever it has. */
  ask(device: DeviceId, of: DeviceId): void {
    for (const session of this.#sessions.values())
      if (session.peer.device === of) this.#offered(device, 0, session)
  }

  /** A device is no member any more. */
  forget(device: DeviceId): void {
    this.#asked.delete(device)
    for (const { toSend, toTell, toAsk } of this.#sessions.values())
      for (const set of [toSend, toTell, toAsk]) set.delete(device)
  }

  onSequences(peer: ReportPeer, list: readonly ReportSequence[]): void {
    const session = this.#sessions.get(peer)
    if (session === undefined) return
    for (const { device, sequence } of list) {
      if (device === peer.device) session.ownSequence = sequence
      if (this.#shelf.wants(device, sequence)) this.#offered(device, sequence, session)
    }
  }

  onWants(peer: ReportPeer, list: readonly DeviceId[]): void {
    const session = this.#sessions.get(peer)
    if (session === undefined) return
    for (const device of list) if (this.#shelf.sequenceOf(device) !== undefined) session.toSend.add(device)
    // Not at once: who asks again and again gets no more than what the pace allows.
    this.#soon('send', SEND_MS)
  }

  onReports(peer: ReportPeer, list: readonly Buffer[]): void {
    const session = this.#sessions.get(peer)
    if (session === undefined) return
    this.#shelf.together(() => {
      for (const bytes of list) {
        const device = claimedMaker(bytes)
        if (device !== undefined) this.#onReport(session, device, bytes)
      }
    })
  }

  stop(): void {
    this.#stopped = true
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
    this.#sessions.clear()
    this.#asked.clear()
  }

  #onReport(session: Session, device: DeviceId, bytes: Buffer): void {
    const asked = this.#asked.get(device)
    const isAsked = asked?.of.has(session) === true
    const isOwn = device === session.peer.device
    const isWelcome = isAsked || (isOwn && session.allowance.take(this.#clock()))
    const outcome = isWelcome ? this.#shelf.take(bytes, session.peer.device) : 'refused'
    if (!isWelcome) this.#log.debug({ peer: session.peer.device, device }, 'report that nobody asked for')
    // What it said last is not here: until it says something new, nobody can tell whether that is still so (C3).
    if (isOwn && outcome === 'refused') session.ownSequence = Number.MAX_SAFE_INTEGER
    else if (isOwn && (outcome === 'new' || session.ownSequence === undefined))
      session.ownSequence = this.#shelf.sequenceOf(device)
    if (outcome === 'new') {
      for (const other of this.#sessions.values()) if (other !== session) other.toTell.add(device)
      this.#soon('tell', TELL_MS)
    }
    if (asked !== undefined && isWelcome) this.#answered(device, asked, session)
  }

  #offered(device: DeviceId, sequence: number, session: Session): void {
    const asked = this.#asked.get(device)
    if (asked !== undefined) {
      asked.others.set(session, sequence)
      return
    }
    this.#asked.set(device, {
      of: new Map([[session, sequence]]),
      others: new Map(),
      sinceMs: this.#clock(),
    })
    session.toAsk.add(device)
    this.#soon('ask', ASK_MS)
    this.#soon('sweep', SWEEP_MS)
  }

  #answered(device: DeviceId, asked: Asked, session: Session): void {
    asked.of.delete(session)
    for (const list of [asked.of, asked.others])
      for (const [other, sequence] of list) if (!this.#shelf.wants(device, sequence)) list.delete(other)
    if (asked.of.size === 0) this.#askNext(device, asked)
  }

  #askNext(device: DeviceId, asked: Asked): void {
    const [next] = asked.others
    if (next === undefined) {
      this.#asked.delete(device)
      return
    }
    const [session, sequence] = next
    asked.others.delete(session)
    asked.of.set(session, sequence)
    asked.sinceMs = this.#clock()
    session.toAsk.add(device)
    this.#soon('ask', ASK_MS)
  }

  #sweep(): void {
    const nowMs = this.#clock()
    for (const [device, asked] of this.#asked) {
      const ageMs = nowMs - asked.sinceMs
      if (asked.others.size > 0 ? ageMs >= ANOTHER_MS : ageMs >= FORGET_MS) this.#askNext(device, asked)
    }
    if (this.#asked.size > 0) this.#soon('sweep', SWEEP_MS)
  }

  #tell(session: Session): void {
    const list: ReportSequence[] = []
    for (const device of session.toTell) {
      session.toTell.delete(device)
      const sequence = this.#shelf.sequenceOf(device)
      if (sequence !== undefined) list.push({ device, sequence })
      if (list.length === MAX_REPORT_LIST) break
    }
    if (list.length > 0) session.peer.sendReportSequences(list)
    if (session.toTell.size > 0) this.#soon('tell', TELL_MS)
  }

  #send(session: Session): void {
    const list: Buffer[] = []
    let room = session.peer.isDrained ? SEND_BYTES : 0
    for (const device of session.toSend) {
      if (room <= 0) break
      session.toSend.delete(device)
      const bytes = this.#shelf.bytesOf(device)
      if (bytes === undefined) continue
      list.push(bytes)
      room -= bytes.length
    }
    if (list.length > 0) session.peer.sendReports(list)
    if (session.toSend.size > 0) this.#soon('send', SEND_MS)
  }

  #ask(session: Session): void {
    const list = [...session.toAsk].slice(0, MAX_REPORT_LIST)
    for (const device of list) session.toAsk.delete(device)
    if (list.length > 0) session.peer.sendReportWants(list)
    if (session.toAsk.size > 0) this.#soon('ask', ASK_MS)
  }

  #soon(work: Work, delayMs: number): void {
    if (this.#stopped || this.#timers.has(work)) return
    const timer = setTimeout(() => {
      this.#timers.delete(work)
      if (work === 'sweep') this.#sweep()
      else for (const session of this.#sessions.values()) this.#do(work, session)
    }, delayMs)
    this.#timers.set(work, timer)
  }

  #do(work: Exclude<Work, 'sweep'>, session: Session): void {
    if (work === 'tell') this.#tell(session)
    else if (work === 'ask') this.#ask(session)
    else this.#send(session)
  }
}
