// A ControlBackend whose answers tests set, with a sound status of one share and two members to start from.
import type { ControlBackend } from '../../src/control/calls.js'
import type {
  ApproveRequest,
  ForgetRequest,
  InviteReport,
  InviteRequest,
  MemberReport,
  NewInviteReport,
  PeerReport,
  RevokeRequest,
  ShareReport,
  StatusReport,
} from '../../src/control/schema.js'
import type { ConflictReport, ResolveReport, ResolveRequest } from '../../src/control/schema-conflicts.js'
import type { StopReport, StopRequest } from '../../src/control/schema-copies.js'
import type {
  AcknowledgeRequest,
  ArchiveExtraReport,
  ArchiveExtraRequest,
  DriftPath,
  DriftReport,
  MemberDriftReport,
  RestoreDriftReport,
  RestoreDriftRequest,
} from '../../src/control/schema-drift.js'
import type {
  EntriesReport,
  EntriesRequest,
  HistoryReport,
  HistoryRequest,
} from '../../src/control/schema-entries.js'
import type {
  AddedShareReport,
  AddShareRequest,
  ChangeShareRequest,
  FolderReport,
  RemoveShareRequest,
} from '../../src/control/schema-folders.js'
import type { RunHooksRequest } from '../../src/control/schema-hooks.js'
import type { LimitsReport, LimitsRequest } from '../../src/control/schema-limits.js'
import type {
  AvailabilityReport,
  AvailabilityRequest,
  LiveReport,
  PeerLive,
  ShareLive,
  TransferReport,
} from '../../src/control/schema-live.js'
import type { LogEntry, LogReport, LogRequest } from '../../src/control/schema-log.js'
import type {
  InquiryReport,
  MemberStanding,
  MembersReport,
  MembersRequest,
  RemovedMemberReport,
  RemoveMemberRequest,
} from '../../src/control/schema-members.js'
import type {
  NewReleaseReport,
  ReleaseRequest,
  ReleasesReport,
  RemoveReleaseRequest,
  RollbackRequest,
  SwitchReport,
  SwitchRequest,
} from '../../src/control/schema-releases.js'
import type {
  OneOrAll,
  SecretsReport,
  SecretsRequest,
  ShareProblemReport,
} from '../../src/control/schema-shares.js'
import type {
  AuditProgress,
  AuditReport,
  AuditRequest,
  RehearsalReport,
  RehearsalRequest,
  VerifyReport,
  VerifyRequest,
} from '../../src/control/schema-trust.js'
import { ShoalError } from '../../src/core/error.js'

const SELF = 'a'.repeat(64)
/** What an invite's code looks like. */
export const FAKE_INVITE = 'p7q2x-9vcmd-5k3tf-8w6gy-jn4az-r0hsu'

export function member(name: string, changes: Partial<MemberReport> = {}): MemberReport {
  return {
    device: Buffer.from(name).toString('hex').padEnd(64, '0').slice(0, 64),
    name,
    grade: 'write',
    connected: true,
    transport: 'tcp',
    address: '127.0.0.1:4444',
    digestEqual: true,
    unreadable: false,
    drift: 0,
    lastSeen: '2026-11-20T18:02:03.000Z',
    expired: false,
    clockAheadMs: null,
    ...changes,
  }
}

export function share(changes: Partial<ShareReport> = {}): ShareReport {
  return {
    dir: '/data/photos',
    added: false,
    grade: 'write',
    state: 'idle',
    scan: null,
    haltReason: null,
    pausedSince: null,
    files: 12345,
    bytes: 1_288_490_189,
    needFiles: 0,
    needBytes: 0,
    conflicts: 0,
    drift: 0,
    driftDetail: { acknowledged: 0, restored: 0, replaced: 0, waiting: 0, nextRestore: null },
    hooks: [],
    copies: null,
    problems: [],
    digest: 'd'.repeat(64),
    receivedBytes: 0,
    sentBytes: 1024,
    head: '3f2a9c01:0102030405060708.17',
    members: [member('nas', { grade: 'read' }), member('phone')],
    blind: null,
    ...changes,
  }
}

export function drift(changes: Partial<DriftReport> = {}): DriftReport {
  return {
    dir: '/data/photos',
    path: 'etc/motd',
    kind: 'changed',
    kinds: ['content'],
    since: '2026-11-20T18:02:03.000Z',
    policy: 'report',
    restores: 0,
    nextRestore: null,
    acknowledgement: null,
    ...changes,
  }
}

export function conflict(changes: Partial<ConflictReport> = {}): ConflictReport {
  const version = {
    ...{ type: 'file' as const, size: 12, mtime: '2026-11-20T18:02:03.000Z', mode: 0o644, target: null },
    ...{ device: SELF, name: 'laptop', when: null },
  }
  return {
    ...{ dir: '/data/photos', share: 0, path: 'a', copy: 'a.conflict-20261120-180203-phone' },
    ...{ id: '0123456789abcdef', kept: version, copyVersion: { ...version, size: 1536, name: 'phone' } },
    ...changes,
  }
}

export function status(...shares: ShareReport[]): StatusReport {
  return { device: SELF, name: 'laptop', version: '0.1.0', pid: 4121, shares }
}

export function invite(changes: Partial<InviteReport> = {}): InviteReport {
  return {
    id: '3f2a9c01',
    dir: '/data/photos',
    grade: 'read',
    state: 'open',
    createdAt: '2026-11-20T18:02:03.000Z',
    expiresAt: '2026-11-21T18:02:03.000Z',
    wrongTries: 0,
    closedAt: null,
    usedBy: null,
    confirmed: null,
    ...changes,
  }
}

export function memberDrift(name: string, changes: Partial<MemberDriftReport> = {}): MemberDriftReport {
  const { device } = member(name)
  const item = {
    path: 'etc/hosts',
    kinds: ['content', 'mode'],
    since: '2026-11-20T18:02:03.000Z',
    policy: 'report' as const,
    restores: 0,
    nextRestore: null,
    acknowledgement: null,
  }
  return {
    ...{ dir: '/data/photos', device, name, isHere: false, asOf: null, isListed: true },
    ...{ total: 1, open: 1, items: [item] },
    ...changes,
  }
}

/** What /v1/members says where the status says this: all who are connected have answered. */
export function standingsOf(
  share: ShareReport,
  own: { readonly device: string; readonly name: string },
  isAsked = true,
): Omit<MembersReport, 'share'> {
  const { dir, grade, haltReason, head, needFiles, needBytes, drift, driftDetail, state } = share
  const standing =
    state === 'halted' || state === 'paused'
      ? state
      : state === 'idle' && needFiles === 0
        ? 'at-rest'
        : 'working'
  return {
    ...{ dir, grade, haltReason, standing, head, needFiles, needBytes, drift },
    ...{ device: own.device, name: own.name, acknowledged: driftDetail.acknowledged },
    confirmed: isAsked && standing === 'at-rest',
    members: share.members.map(
      ({ device, name, grade, connected, digestEqual, drift, lastSeen, expired }): MemberStanding => ({
        ...{ device, name, grade, connected, digestEqual, drift, head },
        answered: isAsked && connected ? 'at-rest' : null,
        confirmed: isAsked && connected && digestEqual && drift === 0,
        unreadable: false,
        ...{ scanned: true, behind: 0, ahead: 0, needFiles: 0, needBytes: 0, conflicts: 0, problems: 0 },
        stateAt: lastSeen!,
        lastSeen: lastSeen!,
        expired: !connected && expired,
        unreachableSince: connected ? null : lastSeen,
      }),
    ),
  }
}

export function peerLive(name: string, changes: Partial<PeerLive> = {}): PeerLive {
  return {
    device: member(name).device,
    name,
    grade: 'write',
    transport: 'tcp',
    address: '127.0.0.1:4444',
    initiator: true,
    connectedAt: '2026-11-20T18:02:03.000Z',
    rttMs: 1.5,
    downRate: 0,
    upRate: 0,
    receivedBytes: 0,
    sentBytes: 0,
    inFlightBytes: 0,
    heldPieces: 100,
    totalPieces: 100,
    inSync: true,
    needFiles: 0,
    needBytes: 0,
    stalled: false,
    choked: false,
    ...changes,
  }
}

export function transfer(path: string, changes: Partial<TransferReport> = {}): TransferReport {
  const { device, name } = peerLive('nas')
  return {
    path,
    bytes: 10_000_000,
    doneBytes: 4_000_000,
    rate: 2_000_000,
    etaMs: 3000,
    startedAt: '2026-11-20T18:02:03.000Z',
    peers: [{ device, name, bytes: 4_000_000 }],
    direction: 'down',
    ...changes,
  }
}

export function shareLive(changes: Partial<ShareLive> = {}): ShareLive {
  return {
    dir: '/data/photos',
    state: 'idle',
    needFiles: 0,
    needBytes: 0,
    downRate: 0,
    upRate: 0,
    receivedBytes: 0,
    sentBytes: 1024,
    wrongPieces: 0,
    totalPieces: 100,
    heldPieces: 100,
    peers: [peerLive('nas', { grade: 'read' }), peerLive('phone')],
    transfers: [],
    transferCount: 0,
    ...changes,
  }
}

export function live(...shares: ShareLive[]): LiveReport {
  return { at: '2026-11-20T18:02:03.000Z', eventLoopDelayMs: 0.4, shares }
}

export class FakeBackend implements ControlBackend {
  /** What was called, in order. */
  readonly calls: string[] = []
  /** Answers to status(), the last one for ever. */
  statuses: StatusReport[] = [status(share())]
  peerList: PeerReport[] = []
  conflictList: ConflictReport[] = []
  entriesReport: EntriesReport = { dir: '/data/photos', path: '', entries: [], next: null }
  historyReport: HistoryReport = { dir: '/data/photos', path: 'a', versions: [], isComplete: true }
  limitsReport: LimitsReport = { download: 0, upload: 0, holdLocally: false }
  problemList: ShareProblemReport[] = []
  secretsReport: SecretsReport = { dir: '/data/photos', secrets: [] }
  driftList: DriftReport[] = []
  memberDriftList: MemberDriftReport[] = []
  extraReport: ArchiveExtraReport = { moved: [], left: [] }
  inviteList: InviteReport[] = []
  releasesList: ReleasesReport[] = []
  /** Told two at a time. */
  logEntries: LogEntry[] = []
  /** How often members() does not know an inquiry. */
  forgottenInquiries = 0
  folderList: FolderReport[] = []
  liveAnswer: LiveReport = live(shareLive())
  availabilityAnswer: AvailabilityReport = {
    ...{ dir: '/data/photos', pieces: 100, held: 100, rarestCopies: 3, rarestPieces: 100 },
    buckets: [{ pieces: 100, held: 100, minCopies: 3, maxCopies: 3 }],
  }
  verifyList: VerifyReport[] = []
  auditAnswer: AuditReport = {
    ...{ dir: '/data/photos', device: 'cd'.repeat(32), name: 'nas', grade: 'read' },
    ...{ population: 20_000, sampled: 5816, proved: 5816, missing: 0, wrong: 0, silent: 0, unchecked: 0 },
    ...{ bytes: 1 << 30, confidence: 0.999, part: 0.001, mostMissing: 19, leastMissing: 0 },
    ...{ seconds: 12.25, slowestSeconds: 0.5, fetchedBytes: 0, paths: [] },
  }
  stopReports: StopReport[] = []
  /** Awaited by scan, settle, approve, verify and audit. */
  work: () => Promise<void> = async () => {}

  async status(): Promise<StatusReport> {
    this.calls.push('status')
    return this.statuses.length > 1 ? this.statuses.shift()! : this.statuses[0]!
  }

  async verified(): Promise<VerifyReport[]> {
    return this.verifyList
  }

  async verify(request: VerifyRequest = {}): Promise<VerifyReport[]> {
    this.calls.push(`verify ${JSON.stringify(request)}`)
    await this.work()
    return this.verifyList
  }

  async rehearsal({ node }: RehearsalRequest): Promise<RehearsalReport> {
    return { dir: '/data/photos', device: 'cd'.repeat(32), name: node, hosts: [], files: 0, paths: [] }
  }

  auditProgress: AuditProgress[] = []

  async audits(): Promise<AuditProgress[]> {
    this.calls.push('audits')
    return this.auditProgress
  }

  async audit(request: AuditRequest): Promise<AuditReport> {
    this.calls.push(`audit ${JSON.stringify(request)}`)
    await this.work()
    return this.auditAnswer
  }

  async peers(): Promise<PeerReport[]> {
    return this.peerList
  }

  async conflicts(): Promise<ConflictReport[]> {
    return this.conflictList
  }

  async resolveConflict({ share: at, copy, keep, id }: ResolveRequest): Promise<ResolveReport> {
    this.calls.push(`resolve ${at} ${copy} ${keep} ${id}`)
    await this.work()
    const { dir, path } = this.conflictList.find((each) => each.copy === copy)!
    return {
      ...{ dir, path, copy, keep, at: keep === 'this' ? null : keep === 'other' ? path : `${path}.kept` },
      archived: keep === 'both' ? null : `.shoal/archive/2026-11-20/${keep === 'this' ? copy : path}`,
    }
  }

  async entries({ share: at, path, after, limit }: EntriesRequest): Promise<EntriesReport> {
    this.calls.push(`entries ${at} ${path} ${after} ${limit}`)
    return this.entriesReport
  }

  async history({ share: at, path, limit }: HistoryRequest): Promise<HistoryReport> {
    this.calls.push(`history ${at} ${path} ${limit}`)
    return this.historyReport
  }

  async limits(): Promise<LimitsReport> {
    return this.limitsReport
  }

  async setLimits({ download, upload }: LimitsRequest): Promise<LimitsReport> {
    this.calls.push(`limits ${download} ${upload}`)
    const before = this.limitsReport
    this.limitsReport = { ...before, download: download ?? before.download, upload: upload ?? before.upload }
    return this.limitsReport
  }

  async problems(): Promise<ShareProblemReport[]> {
    return this.problemList
  }

  async pause({ share: at }: OneOrAll = {}): Promise<void> {
    this.calls.push(`pause ${at}`)
  }

  async resume({ share: at }: OneOrAll = {}): Promise<void> {
    this.calls.push(`resume ${at}`)
  }

  async secrets({ share: at }: SecretsRequest): Promise<SecretsReport> {
    this.calls.push(`secrets ${at}`)
    return this.secretsReport
  }

  async runHooks({ hook }: RunHooksRequest = {}): Promise<void> {
    this.calls.push(hook === undefined ? 'hooks' : `hooks ${hook}`)
  }

  async drift(): Promise<DriftReport[]> {
    return this.driftList
  }

  async driftOfAll(): Promise<MemberDriftReport[]> {
    return this.memberDriftList
  }

  async acknowledgeDrift({ share: at, path, reason, lifeMs }: AcknowledgeRequest): Promise<DriftReport> {
    this.calls.push(`acknowledge ${at} ${path} ${lifeMs} ${reason}`)
    await this.work()
    const until = new Date(Date.parse('2026-11-20T18:02:03.000Z') + lifeMs).toISOString()
    return drift({ path, acknowledgement: { reason, since: '2026-11-20T18:02:03.000Z', until } })
  }

  async withdrawDrift({ share: at, path }: DriftPath): Promise<void> {
    this.calls.push(`withdraw ${at} ${path}`)
    await this.work()
  }

  async archiveExtra({ share: at, paths }: ArchiveExtraRequest = {}): Promise<ArchiveExtraReport> {
    this.calls.push(`archive-extra ${at} ${paths?.join(' ')}`)
    await this.work()
    return this.extraReport
  }

  async folders(): Promise<FolderReport[]> {
    return this.folderList
  }

  async addShare({ dir, secret: _, ...settings }: AddShareRequest): Promise<AddedShareReport> {
    this.calls.push(`add ${dir} ${JSON.stringify(settings)}`)
    await this.work()
    return { share: 1, dir }
  }

  async changeShare({ share: at, ...settings }: ChangeShareRequest): Promise<void> {
    this.calls.push(`change ${at} ${JSON.stringify(settings)}`)
    await this.work()
  }

  async removeShare({ share: at, dir }: RemoveShareRequest): Promise<void> {
    this.calls.push(`remove ${at ?? dir}`)
    await this.work()
  }

  async restoreDrift({ share: at, paths }: RestoreDriftRequest): Promise<RestoreDriftReport> {
    this.calls.push(`restore ${at} ${paths.join(' ')}`)
    await this.work()
    return { restored: paths.map((path) => ({ dir: '/data/photos', path, to: null })), left: [] }
  }

  async scan({ share: at }: OneOrAll = {}): Promise<void> {
    this.calls.push(at === undefined ? 'scan' : `scan ${at}`)
    await this.work()
  }

  async settle(): Promise<void> {
    this.calls.push('settle')
    await this.work()
  }

  async approve({ share: shareIndex }: ApproveRequest = {}): Promise<void> {
    this.calls.push(`approve ${shareIndex}`)
    await this.work()
  }

  async forget({ device }: ForgetRequest): Promise<void> {
    this.calls.push(`forget ${device}`)
    await this.work()
  }

  /** What the next status says, in the words of /v1/members. */
  async members({ inquiry }: MembersRequest = {}): Promise<MembersReport[]> {
    this.calls.push('members')
    if (inquiry !== undefined && this.forgottenInquiries-- > 0) throw new ShoalError('NOT_FOUND', 'ask again')
    const { shares, ...own } = this.statuses.length > 1 ? this.statuses.shift()! : this.statuses[0]!
    return shares.map((each, at) => ({ share: at, ...standingsOf(each, own, inquiry !== undefined) }))
  }

  async log({ limit = 100 }: LogRequest = {}): Promise<LogReport> {
    this.calls.push(`log ${limit}`)
    const entries = this.logEntries.splice(0, Math.min(limit, 2))
    return { dir: '/data/photos', entries, next: this.logEntries.length > 0 ? '0:' : null }
  }

  async askMembers(): Promise<InquiryReport> {
    this.calls.push('ask')
    await this.work()
    return { inquiry: 'ab'.repeat(16) }
  }

  async removeMember({ device }: RemoveMemberRequest): Promise<RemovedMemberReport> {
    this.calls.push(`remove member ${device}`)
    const each = { dir: '/data/photos', grade: 'write' as const, lastSeen: '2026-11-20T18:02:03.000Z' }
    return { device, name: 'phone', shares: [{ ...each, records: 3, digestEqual: false }] }
  }

  async safeToStop({ share: at, timeoutMs }: StopRequest = {}): Promise<StopReport[]> {
    this.calls.push(`safe to stop ${at ?? 'all'} ${timeoutMs}`)
    return this.stopReports
  }

  async invites(): Promise<InviteReport[]> {
    return this.inviteList
  }

  async invite({ share: at, grade, lifeMs }: InviteRequest): Promise<NewInviteReport> {
    this.calls.push(`invite ${at} ${grade} ${lifeMs}`)
    await this.work()
    return { ...invite({ grade }), invite: FAKE_INVITE, port: 44444 }
  }

  async revokeInvite({ id }: RevokeRequest): Promise<void> {
    this.calls.push(`revoke ${id}`)
    await this.work()
  }

  async live(): Promise<LiveReport> {
    return this.liveAnswer
  }

  async availability({ share: at, width }: AvailabilityRequest): Promise<AvailabilityReport> {
    this.calls.push(`availability ${at} ${width}`)
    return this.availabilityAnswer
  }

  async releases(): Promise<ReleasesReport[]> {
    return this.releasesList
  }

  async release(request: ReleaseRequest): Promise<NewReleaseReport> {
    this.calls.push(`release ${JSON.stringify(request)}`)
    await this.work()
    return { name: request.name ?? '20261120-180203', files: 3, bytes: 1536, removed: ['v0'] }
  }

  async switchRelease({ share: at, name, when }: SwitchRequest): Promise<SwitchReport> {
    this.calls.push(`switch ${at} ${name} ${when}`)
    await this.work()
    return { name, when, by: 'laptop', time: '2026-11-20T18:02:03.000Z', sequence: 2 }
  }

  async rollbackRelease({ share: at }: RollbackRequest): Promise<SwitchReport> {
    this.calls.push(`rollback ${at}`)
    await this.work()
    return { name: 'v1', when: 'now', by: 'laptop', time: '2026-11-20T18:02:03.000Z', sequence: 3 }
  }

  async removeRelease({ share: at, name }: RemoveReleaseRequest): Promise<void> {
    this.calls.push(`remove ${at} ${name}`)
    await this.work()
  }

  async stop(): Promise<void> {
    this.calls.push('stop')
  }
}
