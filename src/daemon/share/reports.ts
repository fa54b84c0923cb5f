// The reports of a share's members (core/report.ts): this device's own and the newest of each member, kept in the index so
// that they survive restarts. What is kept is bounded, whatever devices somebody makes up: only members have a report
// (members.ts bounds these), and all reports together have a limit. How they travel: report-courier.ts.
import type { DeviceId } from '../../core/ids.js'
import { openReport, type Report } from '../../core/report.js'
import type { Log } from '../../ports/log.js'
import { AFTER_LAST_KEY, type Database, FIRST_KEY, type Table } from '../../store/tables.js'
import { OwnReport, type OwnReportOptions, type OwnSections } from './own-report.js'
import { ReportCourier, type ReportPeer } from './report-courier.js'

/** One report as the index keeps it. */
interface ReportRow {
  /** As it travels. */
  readonly report: Buffer
  readonly asOfMs: number
}

/** The newest report of one member. */
export interface HeldReport {
  readonly device: DeviceId
  /** What people call the device. */
  readonly name: string
  readonly report: Report
  /** Whether the member is connected and has nothing newer to say. */
  readonly isCurrent: boolean
  /** When the report was surely true last, milliseconds since 1970 by this device's clock. */
  readonly asOfMs: number
}

export interface ReportsOptions extends Omit<OwnReportOptions, 'onSigned'> {
  readonly database: Database
  readonly prefix: string
  readonly log: Log
  /** What people call a member; undefined: it is none. */
  readonly nameOf: (device: DeviceId) => string | undefined
}

interface Held {
  readonly sequence: number
  readonly length: number
  readonly asOfMs: number
  /** Undefined: so long that it is read when it is asked for. */
  readonly report: Report | undefined
}

/** All reports together; a hundred of the longest, hundreds of thousands of paths. */
const MAX_BYTES = 32 * 1024 * 1024
/** Those up to this length are kept all the same, so that a few long ones do not keep the others out. */
const SHORT_BYTES = 4 * 1024
/** Longer ones are not kept in memory. */
const CACHED_BYTES = 16 * 1024

export class Reports {
  readonly #o: ReportsOptions
  readonly #table: Table<ReportRow>
  readonly #held = new Map<DeviceId, Held>()
  readonly #listeners = new Set<(device: DeviceId) => void>()
  readonly #mine: OwnReport
  readonly #courier: ReportCourier
  /** Whose report is new, and listeners do not know yet. */
  readonly #news = new Set<DeviceId>()
  #bytes = 0
  /** Signed in this run: those of earlier runs are not told of, for they may not be true any more. */
  #own: Buffer | undefined

  constructor(options: ReportsOptions) {
    const { database, prefix, own, log } = options
    this.#o = options
    this.#table = database.table(`${prefix}reports`)
    const lastSequence = this.#load()
    this.#mine = new OwnReport({ ...options, onSigned: (bytes) => this.#onSigned(bytes) }, lastSequence)
    this.#courier = new ReportCourier(
      own.device,
      {
        devices: () => (this.#own === undefined ? this.#held.keys() : [...this.#held.keys(), own.device]),
        sequenceOf: (device) => this.#sequenceOf(device),
        bytesOf: (device) => (device === own.device ? this.#own : this.#row(device)?.report),
        wants: (device, sequence) => this.#wants(device, sequence),
        take: (bytes, from) => this.#take(bytes, from),
        together: (body) => this.#together(body),
      },
      log,
      options.monotonicMs,
    )
  }

  /** From where a section of the own report is taken whenever one is signed; undefined: it says nothing of this. */
  provide<K extends keyof OwnSections>(section: K, part: () => OwnSections[K] | undefined): void {
    this.#mine.provide(section, part)
  }

  /** Says so from now on, to all members, soon; undefined: says nothing of this any more. */
  setOwn<K extends keyof OwnSections>(section: K, value: OwnSections[K] | undefined): void {
    this.provide(section, () => value)
    this.changed()
  }

  /** What the own report says may have changed. */
  changed(): void {
    this.#mine.changed()
  }

  /** The newest reports of all members but this device. */
  all(): HeldReport[] {
    return [...this.#held.keys()].flatMap((device) => this.of(device) ?? [])
  }

  /** The newest report of a member; undefined: it has sent none, or is no member. */
  of(device: DeviceId): HeldReport | undefined {
    const held = this.#held.get(device)
    const name = this.#o.nameOf(device)
    const report = held?.report ?? this.#open(this.#row(device)?.report)
    if (held === undefined || name === undefined || report === undefined) return undefined
    const isCurrent = this.#courier.isCurrent(device)
    return { device, name, report, isCurrent, asOfMs: isCurrent ? this.#o.nowMs() : held.asOfMs }
  }

  /** Calls `listener` with each member whose report is new, or was forgotten. Returns how to end that. */
  subscribe(listener: (device: DeviceId) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A peer has come; its states are told before. */
  greet(peer: ReportPeer): void {
    this.#courier.greet(peer)
  }

  /** What a peer has sent. */
  get incoming(): Pick<ReportCourier, 'onReports' | 'onSequences' | 'onWants'> {
    return this.#courier
  }

  /** A peer is gone: what it said was true until now. */
  leave(peer: ReportPeer): void {
    const { device } = peer
    const held = this.#held.get(device)
    const row = this.#courier.isCurrent(device) ? this.#row(device) : undefined
    this.#courier.leave(peer)
    if (held === undefined || row === undefined) return
    const asOfMs = this.#o.nowMs()
    this.#held.set(device, { ...held, asOfMs })
    this.#table.put(keyOf(device), { report: row.report, asOfMs })
  }

  /** A device has become a member by what a peer told: its report was no use before. */
  enrolled(device: DeviceId, by: Pick<ReportPeer, 'device'>): void {
    this.#courier.ask(device, by.device)
  }

  /** A device is no member any more. */
  forget(device: DeviceId): void {
    this.#courier.forget(device)
    const held = this.#held.get(device)
    if (held === undefined) return
    this.#held.delete(device)
    this.#bytes -= held.length
    this.#table.remove(keyOf(device))
    this.#tellListeners(device)
  }

  stop(): void {
    this.#mine.stop()
    this.#courier.stop()
    this.#listeners.clear()
  }

  /** Reads what is kept; the sequence of the own report. */
  #load(): number | undefined {
    let own: number | undefined
    for (const { key, value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const report = this.#open(value.report)
      if (report?.device === this.#o.own.device) own = report.sequence
      else if (report !== undefined && this.#o.nameOf(report.device) !== undefined)
        this.#hold(report, value.report.length, value.asOfMs)
      else this.#table.remove(key)
    }
    return own
  }

  #onSigned(bytes: Buffer): void {
    this.#own = bytes
    this.#table.put(keyOf(this.#o.own.device), { report: bytes, asOfMs: this.#o.nowMs() })
    this.#o.log.trace({ bytes: bytes.length }, 'report signed')
    this.#courier.push()
  }

  #sequenceOf(device: DeviceId): number | undefined {
    if (device !== this.#o.own.device) return this.#held.get(device)?.sequence
    return this.#own === undefined ? undefined : this.#mine.sequence
  }

  #wants(device: DeviceId, sequence: number): boolean {
    if (device === this.#o.own.device) return sequence > this.#mine.sequence
    return this.#o.nameOf(device) !== undefined && sequence > (this.#held.get(device)?.sequence ?? -1)
  }

  #take(bytes: Buffer, from: DeviceId): 'new' | 'known' | 'refused' {
    const { own, shareId, stateKey, log, nameOf, nowMs } = this.#o
    const opened = openReport(bytes, stateKey, shareId)
    if (opened.type === 'violation') {
      log.warn({ peer: from, code: opened.code, detail: opened.detail }, 'report refused')
      return 'refused'
    }
    const report = opened.value
    const { device, sequence, timeMs } = report
    if (device === own.device) {
      // Another process with our key, or this one before its storage was put back.
      if (sequence > this.#mine.sequence) this.#mine.outbid(sequence)
      return 'known'
    }
    if (nameOf(device) === undefined) return 'refused'
    const held = this.#held.get(device)
    if (held !== undefined && held.sequence >= sequence) return 'known'
    const total = this.#bytes - (held?.length ?? 0) + bytes.length
    if (total > MAX_BYTES && bytes.length > SHORT_BYTES) {
      log.warn({ device, bytes: bytes.length }, 'report not kept: the reports of all members are too long')
      return 'refused'
    }
    // Its own clock says when that was true, unless it is ahead; from itself, it is true now.
    const asOfMs = device === from ? nowMs() : Math.min(timeMs, nowMs())
    this.#table.put(keyOf(device), { report: Buffer.from(bytes), asOfMs })
    this.#hold(report, bytes.length, asOfMs)
    this.#news.add(device)
    return 'new'
  }

  /** One write to the disk for all; listeners hear of it when it is there. */
  #together(body: () => void): void {
    this.#o.database.transaction(body)
    const news = [...this.#news]
    this.#news.clear()
    for (const device of news) this.#tellListeners(device)
  }

  #hold(report: Report, length: number, asOfMs: number): void {
    const { device, sequence } = report
    this.#bytes += length - (this.#held.get(device)?.length ?? 0)
    const cached = length <= CACHED_BYTES ? report : undefined
    this.#held.set(device, { sequence, length, asOfMs, report: cached })
  }

  #row(device: DeviceId): ReportRow | undefined {
    return this.#table.get(keyOf(device))
  }

  #open(bytes: Buffer | undefined): Report | undefined {
    if (bytes === undefined) return undefined
    const opened = openReport(bytes, this.#o.stateKey, this.#o.shareId)
    return opened.type === 'ok' ? opened.value : undefined
  }

  #tellListeners(device: DeviceId): void {
    for (const listener of this.#listeners) listener(device)
  }
}

function keyOf(device: DeviceId): Buffer {
  return Buffer.from(device, 'hex')
}
