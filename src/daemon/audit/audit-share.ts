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

/** NOT_FOUND: no such member; MEMBER_UNREACHABLE: it is not connected, or leaves; SHARE_HALTED; USAGE. */
export async function auditShare(
  share: Share,
  own: DeviceId,
  { node, confidence = CONFIDENCE, part = PART, sample }: AuditRequest,
): Promise<AuditReport> {
  mustRun(share)
  const peer = peerOf(share, node)
  const population = await countPieces(share.index)
  const size = Math.min(sample ?? samplesNeeded(population, part, confidence), population)
  const drawn = await drawPieces(share.index, size)
  const sentTo = (): number =>
    share.exchange.stats().perPeer.find(({ device }) => device === peer.device)?.uploadedBytes ?? 0
  const before = sentTo()
  const startedMs = performance.now()
  const outcome = await new Auditor({
    ...{ peer, own, shareId: share.shareId, index: share.index, source: share.pieces },
  }).audit(drawn.pieces)
  const failed = outcome.missing + outcome.wrong + outcome.silent
  const sampled = drawn.pieces.length - outcome.unchecked
  const { mostMissing, leastMissing } = claimOf({ population: drawn.population, sampled, failed }, confidence)
  const { slowestMs, paths, bytes, ...counts } = outcome
  return {
    dir: share.dir,
    device: peer.device,
    name: peer.name,
    grade: peer.grade,
    population: drawn.population,
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
