// The calls about who is in the shares, and who is connected.
import type { MemberCalls } from '../../control/calls-members.js'
import type { ForgetRequest, PeerReport } from '../../control/schema.js'
import type {
  InquiryReport,
  MembersReport,
  MembersRequest,
  RemovedMemberReport,
  RemoveMemberRequest,
} from '../../control/schema-members.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId } from '../../core/ids.js'
import { isBlind } from '../any-share.js'
import { blindMembersReport } from './blind-report.js'
import { membersReport, newInquiryId, removalReport } from './member-standing.js'
import { peerFacts } from './peer-facts.js'
import { anyShareAt, type DaemonView, sharesOf } from './view.js'

/** Where it is silent. */
async function removeMember(view: DaemonView, device: DeviceId): Promise<RemovedMemberReport> {
  const shares = await sharesOf(view)
  const found = shares.filter((share) => share.hasMember(device))
  const short = device.slice(0, 16)
  if (found.length === 0) throw new ShoalError('NOT_FOUND', `no device ${short} is a member of a share here`)
  const silent = found.filter(({ peers }) => !peers.some((peer) => peer.device === device))
  if (silent.length === 0) throw new ShoalError('USAGE', `cannot forget the device ${short}: it is connected`)
  const name = silent[0]!.memberName(device) ?? short
  const report = { device, name, shares: silent.map((share) => removalReport(share, device)) }
  for (const share of silent) share.forget(device)
  return report
}

export function memberCalls(view: DaemonView): MemberCalls {
  return {
    async peers(): Promise<PeerReport[]> {
      const shares = await sharesOf(view)
      return shares.flatMap((share) => peerFacts(share).map(({ report }) => ({ dir: share.dir, ...report })))
    },

    async forget({ device }: ForgetRequest): Promise<void> {
      await removeMember(view, device as DeviceId)
    },

    async removeMember({ device }: RemoveMemberRequest): Promise<RemovedMemberReport> {
      return removeMember(view, device as DeviceId)
    },

    async askMembers(): Promise<InquiryReport> {
      const inquiry = newInquiryId()
      for (const { inquiries } of await sharesOf(view)) inquiries.ask(inquiry)
      return { inquiry }
    },

    async members({ share: at, inquiry }: MembersRequest = {}): Promise<MembersReport[]> {
      const shares = await sharesOf(view)
      const chosen = at === undefined ? shares : [await anyShareAt(view, at)]
      if (inquiry !== undefined && !chosen.every(({ inquiries }) => inquiries.renew(inquiry)))
        throw new ShoalError('NOT_FOUND', 'that inquiry is over: ask again')
      const own = { device: view.device(), name: view.name }
      const now = { nowMs: Date.now(), peerExpirationDays: view.limits().peerExpirationDays }
      return chosen.map((share) => ({
        share: shares.indexOf(share),
        ...(isBlind(share)
          ? blindMembersReport(share, own, inquiry, now)
          : membersReport(share, own, inquiry, now)),
      }))
    },
  }
}
