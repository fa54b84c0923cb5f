// A ControlBackend whose answers tests set, with a sound status of one share and two members to start from.
import type { ControlBackend } from '../../src/control/handler.js'
import type {
  ConflictReport,
  DriftReport,
  MemberReport,
  PeerReport,
  ShareReport,
  StatusReport,
} from '../../src/control/schema.js'

const SELF = 'a'.repeat(64)

export function member(name: string, changes: Partial<MemberReport> = {}): MemberReport {
  return {
    device: Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64),
    name,
    grade: 'write',
    connected: true,
    transport: 'tcp',
    address: '127.0.0.1:4444',
    digestEqual: true,
    lastSeen: '2026-11-20T18:02:03.000Z',
    expired: false,
    clockAheadMs: null,
    ...changes,
  }
}

export function share(changes: Partial<ShareReport> = {}): ShareReport {
  return {
    dir: '/data/photos',
    grade: 'write',
    state: 'idle',
    haltReason: null,
    files: 12345,
    bytes: 1_288_490_189,
    needFiles: 0,
    needBytes: 0,
    conflicts: 0,
    drift: 0,
    problems: [],
    digest: 'd'.repeat(64),
    receivedBytes: 0,
    sentBytes: 1024,
    members: [member('nas', { grade: 'read' }), member('phone')],
    ...changes,
  }
}

export function status(...shares: ShareReport[]): StatusReport {
  return { device: SELF, name: 'laptop', version: '0.1.0', pid: 4121, shares }
}

export class FakeBackend implements ControlBackend {
  /** What was called, in order. */
  readonly calls: string[] = []
  /** Answers to status(), the last one for ever. */
  statuses: StatusReport[] = [status(share())]
  peerList: PeerReport[] = []
  conflictList: ConflictReport[] = []
  driftList: DriftReport[] = []
  /** Awaited by scan, settle and approve. */
  work: () => Promise<void> = async () => {}

  async status(): Promise<StatusReport> {
    this.calls.push('status')
    return this.statuses.length > 1 ? this.statuses.shift()! : this.statuses[0]!
  }

  async peers(): Promise<PeerReport[]> {
    return this.peerList
  }

  async conflicts(): Promise<ConflictReport[]> {
    return this.conflictList
  }

  async drift(): Promise<DriftReport[]> {
    return this.driftList
  }

  async scan(): Promise<void> {
    this.calls.push('scan')
    await this.work()
  }

  async settle(): Promise<void> {
    this.calls.push('settle')
    await this.work()
  }

  async approve(shareIndex?: number): Promise<void> {
    this.calls.push(`approve ${shareIndex}`)
    await this.work()
  }

  async forget(device: string): Promise<void> {
    this.calls.push(`forget ${device}`)
    await this.work()
  }

  stop(): void {
    this.calls.push('stop')
  }
}
