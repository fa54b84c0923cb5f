// The inquiries of a share (inquiries.ts), made from its parts, and where this device stands.
import type { Standing } from '../../core/inquiry.js'
import type { Log } from '../../ports/log.js'
import type { BlindMembers } from '../blind/blind-members.js'
import { Inquiries, type InquiryPeer } from './inquiries.js'
import type { Members } from './members.js'
import type { ProblemBook } from './problems.js'
import type { Scanner } from './scanner.js'
import type { ShareFeeds } from './share-feeds.js'
import type { ShareOptions, ShareState } from './share-options.js'

/** What a share's standing is read from. */
export interface StandingParts {
  readonly state: ShareState
  readonly scanner: Pick<Scanner, 'hasScanned' | 'isAtRest'>
  readonly feeds: Pick<ShareFeeds, 'isBehind'>
  readonly problems: Pick<ProblemBook, 'unread'>
}

/** Where this device stands: at rest only if there is nothing to look at, to publish, to take over or to apply. */
export function standingOf({ state, scanner, feeds, problems }: StandingParts): Standing {
  if (state === 'halted' || state === 'paused') return state
  if (state !== 'idle' || !scanner.hasScanned || !scanner.isAtRest || feeds.isBehind) return 'working'
  return problems.unread > 0 ? 'unread' : 'at-rest'
}

export interface InquiryParts {
  readonly members: Members
  readonly blindMembers: BlindMembers
  readonly peers: () => readonly InquiryPeer[]
  readonly settle: () => Promise<void>
  readonly standing: () => Standing
}

export function makeInquiries(
  { identity, keys, nowMs }: ShareOptions,
  log: Log,
  parts: InquiryParts,
): Inquiries {
  const { members, blindMembers, peers, settle, standing } = parts
  return new Inquiries({
    own: identity.device,
    shareId: keys.shareId,
    nowMs,
    peers,
    publishState: () => members.publishNow(),
    isMember: (device) => members.has(device) || blindMembers.has(device),
    onHeard: (device) => {
      members.seen(device)
      blindMembers.seen(device)
    },
    settle,
    standing,
    log,
  })
}
