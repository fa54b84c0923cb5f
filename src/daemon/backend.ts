// What the control API tells of a running daemon and does to it (src/control): reads the shares' state, decides nothing.

import type { ControlBackend } from '../control/handler.js'
import { PACKAGE_VERSION } from '../control/package-version.js'
import type {
  ConflictReport,
  DriftReport,
  MemberReport,
  PeerReport,
  ShareReport,
  StatusReport,
} from '../control/schema.js'
import { ShoalError } from '../core/error.js'
import type { DeviceId } from '../core/ids.js'
import type { Share } from './share/share.js'

export interface DaemonView {
  readonly name: string
  readonly device: () => DeviceId
  readonly shares: () => readonly Share[]
  readonly stop: () => void
}

export class DaemonBackend implements ControlBackend {
  readonly #view: DaemonView

  constructor(view: DaemonView) {
    this.#view = view
  }

  async status(): Promise<StatusReport> {
    return {
      device: this.#view.device(),
      name: this.#view.name,
      version: PACKAGE_VERSION,
      pid: process.pid,
      shares: this.#view.shares().map(shareReport),
    }
  }

  async peers(): Promise<PeerReport[]> {
    return this.#view.shares().flatMap((share) => {
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
    return this.#view
      .shares()
      .flatMap((share) => share.conflicts().map(({ path, copy }) => ({ dir: share.dir, path, copy })))
  }

  async drift(): Promise<DriftReport[]> {
    return this.#view.shares().flatMap((share) =>
      share.index.drifted().map((path) => {
        const what = share.index.disk(path)?.drift?.what
        const kind = what === 'extra' ? 'added' : what === 'missing' ? 'deleted' : 'changed'
        return { dir: share.dir, path, kind }
      }),
    )
  }

  async scan(): Promise<void> {
    await Promise.all(this.#view.shares().map((share) => share.scan()))
  }

  async settle(): Promise<void> {
    await Promise.all(this.#view.shares().map((share) => share.settle()))
  }

  async approve(shareIndex?: number): Promise<void> {
    const shares = this.#view.shares()
    if (shareIndex === undefined) {
      for (const share of shares) share.approve()
      return
    }
    const share = shares[shareIndex]
    if (share === undefined)
      throw new ShoalError('NOT_FOUND', `there is no share ${shareIndex} in this configuration`)
    share.approve()
  }

  stop(): void {
    this.#view.stop()
  }
}

function shareReport(share: Share): ShareReport {
  const { files, bytes, needFiles, needBytes, drift } = share.index.counts
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
    drift,
    problems: share.problems
      .list()
      .map(({ path, code, detail, sinceMs }) => ({ path, code, detail, sinceMs })),
    digest: share.index.digest().toString('hex'),
    receivedBytes: downloadedBytes,
    sentBytes: uploadedBytes,
    members: memberReports(share),
  }
}

function memberReports(share: Share): MemberReport[] {
  const peers = new Map(share.peers.map((peer) => [peer.device, peer]))
  const digest = share.index.digest()
  return share.members.all().map(({ state, lastSeenMs }) => {
    const peer = peers.get(state.device)
    return {
      device: state.device,
      name: state.name,
      grade: share.isWriter(state.device) ? 'write' : 'read',
      connected: peer !== undefined,
      transport: peer?.transport ?? null,
      address: peer?.address ?? null,
      digestEqual: state.digest.equals(digest),
      lastSeen: new Date(peer === undefined ? lastSeenMs : Date.now()).toISOString(),
    }
  })
}
