// What the control API tells of the drift of all members of a share: of this device from its index, of the others from
// their signed reports, and how old those are. Nothing here is told as if it were so now unless its device is connected
// and has said so (report-courier.ts, C3).

import type { AcknowledgementReport, MemberDriftItem, MemberDriftReport } from '../control/schema-drift.js'
import { openAcknowledgement } from '../core/acknowledgement.js'
import { type DriftItem, fitDrift, kindsOfBits } from '../core/drift-section.js'
import type { DeviceId } from '../core/ids.js'
import type { Member } from './share/members.js'
import { ownDrift } from './share/own-drift.js'
import type { Share } from './share/share.js'

/** Share has these. */
export type DriftingShare = Pick<Share, 'dir' | 'shareId' | 'drift' | 'members' | 'reports' | 'peers'>

/** This device first, then all members by name. */
export function memberDrift(
  share: DriftingShare,
  own: { readonly device: DeviceId; readonly name: string },
  nowMs: number,
): MemberDriftReport[] {
  const members = share.members.all().map((member) => ofMember(share, member, nowMs))
  const items = ownDrift(share.drift)
  const { total, open, items: listed } = fitDrift(items)
  const here = { total, open, items: listed.map((item) => ofItem(share, own.device, item, nowMs)) }
  return [
    { dir: share.dir, ...own, isHere: true, asOf: null, isListed: true, ...corrected(here) },
    ...members.sort((a, b) => compare(a.name, b.name) || compare(a.device, b.device)),
  ]
}

function ofMember(share: DriftingShare, { state, lastSeenMs }: Member, nowMs: number): MemberDriftReport {
  const { device, name } = state
  const base = { dir: share.dir, device, name, isHere: false }
  const held = share.reports.of(device)
  if (held?.report.drift === undefined) {
    // Its state counts, and that is all there is: it is of an earlier version, or has not looked at its disk yet.
    const isNow = share.peers.some((peer) => peer.device === device && peer.instance === state.instance)
    const asOf = isNow ? null : isoTime(Math.min(state.timeMs, lastSeenMs))
    return { ...base, asOf, isListed: false, total: state.drift, open: state.drift, items: [] }
  }
  const { drift } = held.report
  const items = drift.items.map((item) => ofItem(share, device, item, nowMs))
  return {
    ...base,
    asOf: held.isCurrent ? null : isoTime(held.asOfMs),
    isListed: true,
    ...corrected({ total: drift.total, open: drift.open, items, claimed: drift.items }),
  }
}

interface Counted {
  readonly total: number
  readonly open: number
  readonly items: MemberDriftItem[]
}

/** What was acknowledged when the report was made, and is not any more, is open. */
function corrected({
  total,
  open,
  items,
  claimed = [],
}: Counted & { claimed?: readonly DriftItem[] }): Counted {
  const ended = claimed.filter(
    ({ acknowledgement }, at) => acknowledgement !== undefined && items[at]!.acknowledgement === null,
  )
  return { total, open: Math.min(total, open + ended.length), items }
}

function ofItem(share: DriftingShare, device: DeviceId, item: DriftItem, nowMs: number): MemberDriftItem {
  const { path, kinds, sinceMs, restore, acknowledgement } = item
  return {
    path,
    kinds: kindsOfBits(kinds),
    since: isoTime(sinceMs),
    policy: restore === undefined ? 'report' : 'restore',
    restores: restore?.times ?? 0,
    nextRestore: restore === undefined || restore.notBeforeMs === 0 ? null : isoTime(restore.notBeforeMs),
    acknowledgement: wordOf(share, device, path, acknowledgement, nowMs),
  }
}

/** Null unless the device itself has signed it for this path, and it has not ended. */
function wordOf(
  { shareId }: DriftingShare,
  device: DeviceId,
  path: DriftItem['path'],
  bytes: Buffer | undefined,
  nowMs: number,
): AcknowledgementReport | null {
  if (bytes === undefined) return null
  const opened = openAcknowledgement(bytes, path, shareId)
  if (opened.type === 'violation' || opened.value.device !== device || opened.value.untilMs <= nowMs)
    return null
  const { reason, madeMs, untilMs } = opened.value
  return { reason, since: isoTime(madeMs), until: isoTime(untilMs) }
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
