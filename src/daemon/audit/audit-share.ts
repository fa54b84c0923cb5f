// `shoal audit`: chooses the sample, has a member asked, and says what that proves.
import type { AuditReport, AuditRequest } from '../../control/schema-trust.js'
import { claimOf, samplesNeeded } from '../../core/audit.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId } from '../../core/ids.js'
import type { Share } from '../share/share.js'
import { Auditor } from './auditor.js'
import { countPieces, drawPieces } from './sample.js'

/** Unless told: 99.9 % sure that less than 0.1 % is missing. */
const CONFIDENCE = 0.999
const PART = 0.001

/** Of an audit under way; changes while it goes on. */
export interface RunningAudit {
  readonly dir: string
  readonly device: DeviceId
  readonly name: string
  checked: number
  sample: number
}

/** `running`: the audit is in it while it lasts. NOT_FOUND: no such member; MEMBER_UNREACHABLE: it is not connected, or leaves; SHARE_HALTED; USAGE. */
export async function auditShare(
  share: Share,
  own: DeviceId,
  request: AuditRequest,
  running: Set<RunningAudit> = new Set(),
): Promise<AuditReport> {
  mustRun(share)
  const peer = peerOf(share, request.node)
  const audit: RunningAudit = { dir: share.dir, device: peer.device, name: peer.name, checked: 0, sample: 0 }
  running.add(audit)
  try {
    return await auditPeer(share, own, peer, request, audit)
  } finally {
    running.delete(audit)
  }
}

async function auditPeer(
  share: Share,
  own: DeviceId,
  peer: Share['peers'][number],
  { confidence = CONFIDENCE, part = PART, sample }: AuditRequest,
  progress: RunningAudit,
): Promise<AuditReport> {
  const counted = await countPieces(share.index)
  const size = Math.min(sample ?? samplesNeeded(counted, part, confidence), counted)
  const drawn = await drawPieces(share.index, size)
  progress.sample = drawn.pieces.length
  const sentTo = (): number =>
    share.exchange.stats().perPeer.find(({ device }) => device === peer.device)?.uploadedBytes ?? 0
  const before = sentTo()
  const startedMs = performance.now()
  const outcome = await new Auditor({
    ...{ peer, own, shareId: share.shareId, index: share.index, source: share.pieces },
    onProgress: (checked) => {
      progress.checked = checked
    },
  }).audit(drawn.pieces)
  const { population } = drawn
  const { proved, missing, wrong, silent } = outcome
  const failed = missing + wrong
  const sampled = proved + failed + silent
  const { mostMissing, leastMissing } = claimOf({ population, sampled, failed, silent }, confidence)
  const { slowestMs, paths, bytes, ...counts } = outcome
  return {
    dir: share.dir,
    device: peer.device,
    name: peer.name,
    // What it has proved may be less than what it showed by writing.
    grade: share.isWriter(peer.device) ? 'write' : peer.grade,
    population,
    sampled,
    ...counts,
    bytes,
    confidence,
    part,
    mostMissing,
    leastMissing,
    seconds: (performance.now() - startedMs) / 1000,
    slowestSeconds: slowestMs / 1000,
    fetchedBytes: Math.max(0, sentTo() - before),
    paths,
  }
}

/** SHARE_HALTED. */
export function mustRun({ dir, haltReason }: Share): void {
  if (haltReason !== undefined) throw new ShoalError('SHARE_HALTED', `${dir} is halted: ${haltReason}`)
}

/** A connected member by its name, or by the start of its id. NOT_FOUND, MEMBER_UNREACHABLE, USAGE. */
export function peerOf(share: Share, node: string): Share['peers'][number] {
  const { peers } = share
  const named = peers.filter((peer) => peer.name === node)
  const found =
    named.length > 0 ? named : peers.filter((peer) => isIdStart(node) && peer.device.startsWith(node))
  if (found.length > 1)
    throw new ShoalError('USAGE', `several members are called ${node}: give the first digits of its id`)
  if (found.length === 1) return found[0]!
  const known = [...share.members.all(), ...share.blindMembers.all()]
  const isMember = known.some(
    ({ state }) => state.name === node || (isIdStart(node) && state.device.startsWith(node)),
  )
  if (isMember) throw new ShoalError('MEMBER_UNREACHABLE', `${node} is not connected`)
  throw new ShoalError('NOT_FOUND', `there is no member ${node} of ${share.dir}`)
}

function isIdStart(text: string): boolean {
  return /^[0-9a-f]{8,64}$/.test(text)
}
