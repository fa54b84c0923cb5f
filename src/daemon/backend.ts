// What the control API tells of a running daemon and does to it (src/control): reads the shares' state, decides nothing.
// While the daemon starts over as another device (F4) it has no shares; a call waits for them, for else it would say that
// there is nothing to sync, which to a script means that all is in sync.

import type { ControlBackend } from '../control/handler.js'
import { PACKAGE_VERSION } from '../control/package-version.js'
import type {
  ConflictReport,
  InviteReport,
  InviteRequest,
  MemberReport,
  NewInviteReport,
  PeerReport,
  ProblemReport,
  ShareReport,
  StatusReport,
} from '../control/schema.js'
import type {
  AcknowledgeRequest,
  ArchiveExtraReport,
  ArchiveExtraRequest,
  DriftPath,
  DriftReport,
  MemberDriftReport,
} from '../control/schema-drift.js'
import type { HookReport } from '../control/schema-hooks.js'
import type {
  NewReleaseReport,
  ReleaseRequest,
  ReleasesReport,
  RemoveReleaseRequest,
  RollbackRequest,
  SwitchReport,
  SwitchRequest,
} from '../control/schema-releases.js'
import { ShoalError } from '../core/error.js'
import type { DeviceId } from '../core/ids.js'
import { pathFault, type RelPath } from '../core/path.js'
import { holdsSame } from '../core/state.js'
import { ARCHIVE_DIR } from '../folder/marker.js'
import type { HookView } from '../hooks/hook.js'
import type { InviteHost } from '../invite/host.js'
import type { InviteRecord } from '../invite/record.js'
import { memberDrift } from './member-drift.js'
import { clockProblems, isExpired, type MemberLimits } from './member-limits.js'
import { releasesReport, switchReport } from './release/report.js'
import type { DriftItem } from './share/local-drift.js'
import type { Share } from './share/share.js'

export interface DaemonView {
  readonly name: string
  readonly device: () => DeviceId
  readonly shares: () => readonly Share[]
  readonly limits: () => MemberLimits
  /** Undefined while there are no shares. */
  readonly invites: () => InviteHost | undefined
  /** TCP port it listens on. */
  readonly port: () => number
  /** Resolves when the shares are there, unless the daemon is just starting over as another device (F4). */
  readonly started: () => Promise<void>
  readonly stop: () => void
}

export class DaemonBackend implements ControlBackend {
  readonly #view: DaemonView

  constructor(view: DaemonView) {
    this.#view = view
  }

  async status(): Promise<StatusReport> {
    const shares = await this.#shares()
    return {
      device: this.#view.device(),
      name: this.#view.name,
      version: PACKAGE_VERSION,
      pid: process.pid,
      shares: shares.map((share) =>
        shareReport(share, this.#endedInvites(share), this.#view.limits(), Date.now()),
      ),
    }
  }

  async peers(): Promise<PeerReport[]> {
    const shares = await this.#shares()
    return shares.flatMap((share) => {
      const traffic = new Map(share.exchange.stats().perPeer.map((stats) => [stats.device, stats]))
      return share.peers.map((peer) => ({
        dir: share.dir,
        device: peer.device,
        name: peer.name,
        grade: share.isWriter(peer.device) ? 'write' : peer.grade,
        transport: peer.transport,
        address: peer.address,
        initiator: peer.initiator,
        connectedAt: new Date(peer.connectedAtMs).toISOString(),
        receivedBytes: traffic.get(peer.device)?.downloadedBytes ?? 0,
        sentBytes: traffic.get(peer.device)?.uploadedBytes ?? 0,
      }))
    })
  }

  async conflicts(): Promise<ConflictReport[]> {
    const shares = await this.#shares()
    return shares.flatMap((share) =>
      share.conflicts().map(({ path, copy }) => ({ dir: share.dir, path, copy })),
    )
  }

  async drift(): Promise<DriftReport[]> {
    const shares = await this.#shares()
    return shares.flatMap((share) => [...share.drift.items()].map((item) => driftReport(share, item)))
  }

  async acknowledge({ share: at, path, reason, lifeMs }: AcknowledgeRequest): Promise<DriftReport> {
    const share = await this.#shareAt(at)
    return driftReport(share, share.drift.acknowledge(pathOf(path), reason, lifeMs))
  }

  async withdraw({ share, path }: DriftPath): Promise<void> {
    const { drift } = await this.#shareAt(share)
    drift.withdraw(pathOf(path))
  }

  async archiveExtra({ share: at, paths }: ArchiveExtraRequest): Promise<ArchiveExtraReport> {
    const shares = at === undefined ? await this.#shares() : [await this.#shareAt(at)]
    const chosen = paths?.map(pathOf)
    const results = await Promise.all(
      shares.map(async ({ dir, drift }) => {
        const { moved, left } = await drift.archiveExtras(chosen)
        const place = (to: string | undefined): string | null =>
          to === undefined ? null : `${ARCHIVE_DIR}/${to}`
        return {
          moved: moved.map(({ path, to }) => ({ dir, path, to: place(to) })),
          left: left.map((each) => ({ dir, ...each })),
        }
      }),
    )
    return { moved: results.flatMap(({ moved }) => moved), left: results.flatMap(({ left }) => left) }
  }

  async driftOfAll(): Promise<MemberDriftReport[]> {
    const shares = await this.#shares()
    const own = { device: this.#view.device(), name: this.#view.name }
    return shares.flatMap((share) => memberDrift(share, own, Date.now()))
  }

  async scan(): Promise<void> {
    const shares = await this.#shares()
    await Promise.all(shares.map((share) => share.scan()))
  }

  async settle(): Promise<void> {
    const shares = await this.#shares()
    await Promise.all(shares.map((share) => share.settle()))
  }

  async approve(shareIndex?: number): Promise<void> {
    const shares = shareIndex === undefined ? await this.#shares() : [await this.#shareAt(shareIndex)]
    for (const share of shares) share.approve()
  }

  async forget(device: string): Promise<void> {
    const shares = await this.#shares()
    const found = shares.filter(({ members }) => members.all().some(({ state }) => state.device === device))
    const short = device.slice(0, 16)
    if (found.length === 0)
      throw new ShoalError('NOT_FOUND', `no device ${short} is a member of a share here`)
    const silent = found.filter(({ peers }) => !peers.some((peer) => peer.device === device))
    if (silent.length === 0)
      throw new ShoalError('USAGE', `cannot forget the device ${short}: it is connected`)
    for (const { members, reports } of silent) {
      members.forget(device as DeviceId)
      reports.forget(device as DeviceId)
    }
  }

  async runHooks(hook?: number): Promise<void> {
    const shares = await this.#shares()
    const isKnown = shares.some((share) => share.hooks.views().some(({ number }) => number === hook))
    if (hook !== undefined && !isKnown) throw new ShoalError('NOT_FOUND', `there is no hook ${hook}`)
    await Promise.all(shares.map((share) => share.hooks.ask(hook)))
  }

  async invites(): Promise<InviteReport[]> {
    const shares = await this.#shares()
    return (this.#view.invites()?.list() ?? []).map((record) => inviteReport(record, shares))
  }

  async invite({ share, grade, lifeMs }: InviteRequest): Promise<NewInviteReport> {
    const shares = await this.#shares()
    const host = this.#view.invites()
    if (host === undefined) throw new ShoalError('INTERNAL', 'there is nobody to keep an invite')
    const { record, text } = host.create(share, grade, lifeMs)
    return { ...inviteReport(record, shares), invite: text, port: this.#view.port() }
  }

  async revokeInvite(id: string): Promise<void> {
    await this.#shares()
    this.#view.invites()?.revoke(id)
  }

  async releases(): Promise<ReleasesReport[]> {
    const shares = await this.#shares()
    return shares.map(releasesReport)
  }

  async release({ share, name, keep, when }: ReleaseRequest): Promise<NewReleaseReport> {
    const { releases } = await this.#shareAt(share)
    const { manifest, removed } = await releases.create({ name, keep, when: when ?? undefined })
    return { name: manifest.name, files: manifest.files, bytes: manifest.bytes, removed }
  }

  async switchRelease({ share, name, when }: SwitchRequest): Promise<SwitchReport> {
    return switchReport(await (await this.#shareAt(share)).releases.switchTo(name, when))
  }

  async rollbackRelease({ share }: RollbackRequest): Promise<SwitchReport> {
    return switchReport(await (await this.#shareAt(share)).releases.rollback())
  }

  async removeRelease({ share, name }: RemoveReleaseRequest): Promise<void> {
    await (await this.#shareAt(share)).releases.remove(name)
  }

  stop(): void {
    this.#view.stop()
  }

  /** As problems of a share (I4), for as long as they are kept. */
  #endedInvites({ shareId }: Share): ProblemReport[] {
    const records = this.#view.invites()?.list() ?? []
    return records.flatMap((record) => {
      if (record.type !== 'ended' || record.share !== shareId) return []
      const { id, wrongTries, atMs } = record
      const detail = `invite ${id} was ended after ${wrongTries} wrong tries; forget it with: shoal invite CONFIG --revoke ${id}`
      return [{ path: '', code: 'INVITE_ENDED', detail, sinceMs: atMs }]
    })
  }

  /** By its place in the configuration. NOT_FOUND. */
  async #shareAt(at: number): Promise<Share> {
    const share = (await this.#shares())[at]
    if (share === undefined)
      throw new ShoalError('NOT_FOUND', `there is no share ${at} in this configuration`)
    return share
  }

  async #shares(): Promise<readonly Share[]> {
    await this.#view.started()
    return this.#view.shares()
  }
}

function pathOf(text: string): RelPath {
  const fault = pathFault(text)
  if (fault !== undefined) throw new ShoalError('USAGE', `that is no path in a share: ${fault}`)
  return text as RelPath
}

function driftReport({ dir }: Share, item: DriftItem): DriftReport {
  const { path, kinds, sinceMs, policy, restores, notBeforeMs, acknowledgement } = item
  const said = acknowledgement?.value
  return {
    dir,
    path,
    kind: kinds.includes('extra') ? 'added' : kinds.includes('missing') ? 'deleted' : 'changed',
    kinds,
    since: isoTime(sinceMs),
    policy,
    restores,
    nextRestore: notBeforeMs === undefined ? null : isoTime(notBeforeMs),
    acknowledgement:
      said === undefined
        ? null
        : { reason: said.reason, since: isoTime(said.madeMs), until: isoTime(said.untilMs) },
  }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

function inviteReport(record: InviteRecord, shares: readonly Share[]): InviteReport {
  const { id, grade, type, createdMs, expiresMs, wrongTries } = record
  return {
    id,
    // A share that was taken out of the configuration leaves what became of its invites.
    dir: shares.find(({ shareId }) => shareId === record.share)?.dir ?? '',
    grade,
    state: type,
    createdAt: new Date(createdMs).toISOString(),
    expiresAt: new Date(expiresMs).toISOString(),
    wrongTries,
    closedAt: type === 'open' ? null : new Date(record.atMs).toISOString(),
    usedBy: type === 'used' ? record.address : null,
    confirmed: type === 'used' ? record.isConfirmed : null,
  }
}

function shareReport(
  share: Share,
  more: readonly ProblemReport[],
  limits: MemberLimits,
  nowMs: number,
): ShareReport {
  const { files, bytes, needFiles, needBytes } = share.index.counts
  const { open, nextRestoreMs, ...drift } = share.drift.summary()
  const { downloadedBytes, uploadedBytes } = share.exchange.stats()
  return {
    dir: share.dir,
    grade: share.grade,
    state: share.state,
    haltReason: share.haltReason ?? null,
    files,
    bytes,
    needFiles,
    needBytes,
    conflicts: share.conflictCount,
    drift: open,
    driftDetail: { ...drift, nextRestore: nextRestoreMs === undefined ? null : isoTime(nextRestoreMs) },
    problems: [
      ...more,
      ...[...share.problems.list(), ...clockProblems(share.peers, limits.maxTimeDiffMs)].map(
        ({ path, code, detail, sinceMs }) => ({ path, code, detail, sinceMs }),
      ),
    ],
    digest: share.holding.digest.toString('hex'),
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    hooks: share.hooks.views().map(hookReport),
    members: memberReports(share, limits, nowMs),
  }
}

function hookReport({ waitsFor, dueInMs, last, ...view }: HookView): HookReport {
  return {
    ...view,
    waitsFor: waitsFor ?? null,
    dueInMs: dueInMs ?? null,
    last: last === undefined ? null : runReport(last),
  }
}

function runReport({ atMs, count, ...run }: HookView['last'] & object): HookReport['last'] {
  return { at: new Date(atMs).toISOString(), ...run, paths: count }
}

function memberReports(share: Share, limits: MemberLimits, nowMs: number): MemberReport[] {
  const peers = new Map(share.peers.map((peer) => [peer.device, peer]))
  const { holding } = share
  return share.members.all().map(({ state, lastSeenMs }) => {
    const peer = peers.get(state.device)
    return {
      device: state.device,
      name: state.name,
      grade: share.isWriter(state.device) ? 'write' : 'read',
      connected: peer !== undefined,
      transport: peer?.transport ?? null,
      address: peer?.address ?? null,
      // What the run before the present one signed says nothing of what this one is going to find.
      digestEqual: holdsSame(state, holding) && (peer === undefined || peer.instance === state.instance),
      drift: state.drift,
      lastSeen: new Date(peer === undefined ? lastSeenMs : nowMs).toISOString(),
      expired: peer === undefined && isExpired(lastSeenMs, nowMs, limits.peerExpirationDays),
      clockAheadMs: peer?.clockAheadMs ?? null,
    }
  })
}
