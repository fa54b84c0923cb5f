// Several nodes' Reports in one process, joined by connections that tests make and cut, on one clock that tests advance.
import { randomBytes } from 'node:crypto'
import { mock } from 'node:test'
import { type DeviceKeys, deviceKeysOf } from '../../../src/core/device.js'
import { fitDrift } from '../../../src/core/drift-section.js'
import type { DeviceId, ShareId } from '../../../src/core/ids.js'
import type { RelPath } from '../../../src/core/path.js'
import { openReport, type Report, sealReport } from '../../../src/core/report.js'
import type { ReportPeer } from '../../../src/daemon/share/report-courier.js'
import { Reports } from '../../../src/daemon/share/reports.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'

export const SHARE = 'ab'.repeat(32) as ShareId
export const KEY: Buffer = randomBytes(32)
const STEP_MS = 10

/** A world of nodes; use mock timers before it is made, and stop it at the end. */
export class Net {
  readonly nodes: TestReports[] = []
  /** Milliseconds since 1970, and since nobody knows. */
  nowMs = 1_760_000_000_000

  constructor() {
    mock.timers.enable({ apis: ['setTimeout'] })
  }

  node(
    name: string,
    keys: DeviceKeys = freshDevice(),
    database: MemoryDatabase = new MemoryDatabase(),
  ): TestReports {
    const node = new TestReports(this, name, keys, database)
    this.nodes.push(node)
    return node
  }

  advance(ms: number): void {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.nowMs += STEP_MS
      mock.timers.tick(STEP_MS)
    }
  }

  stop(): void {
    for (const { reports } of this.nodes) reports.stop()
    mock.timers.reset()
  }
}

export class TestReports {
  readonly net: Net
  readonly name: string
  readonly keys: DeviceKeys
  readonly database: MemoryDatabase
  readonly reports: Reports
  /** Who is a member, as it knows; undefined: every node of the world. */
  members: Set<DeviceId> | undefined
  isReady = true
  /** Paths that drift here. */
  paths: string[] = []
  /** Reports and bytes of them that it was sent. */
  received = { reports: 0, bytes: 0 }

  constructor(net: Net, name: string, keys: DeviceKeys, database: MemoryDatabase) {
    this.net = net
    this.name = name
    this.keys = keys
    this.database = database
    this.reports = new Reports({
      database,
      prefix: 'x-',
      own: keys,
      shareId: SHARE,
      stateKey: KEY,
      nowMs: () => net.nowMs,
      monotonicMs: () => net.nowMs,
      nonce: () => randomBytes(24),
      log: silentLog,
      isReady: () => this.isReady,
      nameOf: (device) => this.#nameOf(device),
    })
    this.reports.provide('drift', () =>
      fitDrift(
        this.paths.map((path) => ({
          path: path as RelPath,
          kinds: 1,
          sinceMs: 1,
          restore: undefined,
          acknowledgement: undefined,
        })),
      ),
    )
  }

  get device(): DeviceId {
    return this.keys.device
  }

  /** Changes what drifts here. */
  drift(...paths: string[]): void {
    this.paths = paths
    this.reports.changed()
  }

  /** What it knows of another node's drift, in one text; undefined: nothing. */
  knows(of: TestReports): string | undefined {
    const { drift } = this.reports.of(of.device)?.report ?? {}
    return drift?.items.map(({ path }) => path).join(' ')
  }

  isCurrent(of: TestReports): boolean | undefined {
    return this.reports.of(of.device)?.isCurrent
  }

  #nameOf(device: DeviceId): string | undefined {
    if (device === this.device || (this.members !== undefined && !this.members.has(device))) return undefined
    return this.net.nodes.find((node) => node.device === device)?.name
  }
}

export interface Connection {
  /** As the first sees the second, and the other way round. */
  readonly ends: readonly [Pipe, Pipe]
  cut(): void
}

/** Connects two nodes. */
export function connect(a: TestReports, b: TestReports): Connection {
  const ends: readonly [Pipe, Pipe] = [new Pipe(b, () => ends[1]), new Pipe(a, () => ends[0])]
  a.reports.greet(ends[0])
  b.reports.greet(ends[1])
  return {
    ends,
    cut: () => {
      a.reports.leave(ends[0])
      b.reports.leave(ends[1])
    },
  }
}

/** One end of a connection: what is sent into it arrives at `to`, as from `back`. */
export class Pipe implements ReportPeer {
  isDrained = true
  /** Nothing that is sent arrives. */
  isDead = false
  readonly #to: TestReports
  readonly #back: () => Pipe

  constructor(to: TestReports, back: () => Pipe) {
    this.#to = to
    this.#back = back
  }

  get device(): DeviceId {
    return this.#to.device
  }

  sendReports(list: readonly Buffer[]): void {
    if (this.isDead) return
    this.#to.received.reports += list.length
    for (const bytes of list) this.#to.received.bytes += bytes.length
    const copies = list.map((bytes) => Buffer.from(bytes))
    setTimeout(() => this.#to.reports.incoming.onReports(this.#back(), copies), 1)
  }

  sendReportSequences(list: Parameters<ReportPeer['sendReportSequences']>[0]): void {
    if (!this.isDead) setTimeout(() => this.#to.reports.incoming.onSequences(this.#back(), list), 1)
  }

  sendReportWants(list: readonly DeviceId[]): void {
    if (!this.isDead) setTimeout(() => this.#to.reports.incoming.onWants(this.#back(), list), 1)
  }
}

export function freshDevice(): DeviceKeys {
  return deviceKeysOf(randomBytes(32))
}

/** A report as another device would sign it, with mistakes as asked for. */
export function reportOf(
  who: DeviceKeys,
  sequence: number,
  paths: readonly string[],
  change: { key?: Buffer; share?: ShareId; signer?: DeviceKeys; padding?: number } = {},
): Buffer {
  const { key = KEY, share = SHARE, signer = who, padding } = change
  const items = paths.map((path) => ({
    path: path as RelPath,
    kinds: 1,
    sinceMs: 1,
    restore: undefined,
    acknowledgement: undefined,
  }))
  const report: Report = {
    device: who.device,
    sequence,
    timeMs: 1_760_000_000_000,
    drift: fitDrift(items),
    other: padding === undefined ? [] : [[99, Buffer.alloc(padding)]],
  }
  return sealReport(report, signer.secretKey, key, share, randomBytes(24))
}

export function sequenceOf(bytes: Buffer): number | undefined {
  const opened = openReport(bytes, KEY, SHARE)
  return opened.type === 'ok' ? opened.value.sequence : undefined
}
