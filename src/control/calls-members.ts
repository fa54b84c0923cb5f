// The calls about who is in the shares, and who is connected.
import { nothing, type Routes } from './route.js'
import { type ForgetRequest, forgetRequest, type PeerReport, peerReports } from './schema.js'
import {
  type InquiryReport,
  inquiryReport,
  type MembersReport,
  type MembersRequest,
  membersReports,
  membersRequest,
  type RemovedMemberReport,
  type RemoveMemberRequest,
  removedMemberReport,
  removeMemberRequest,
} from './schema-members.js'

export interface MemberCalls {
  peers(): Promise<readonly PeerReport[]>
  /**
   * Drops a device from the members of all shares that it is silent in, until it is heard of again. USAGE: it is
   * connected; NOT_FOUND: no such member.
   */
  forget(request: ForgetRequest): Promise<void>
  /** Where everybody stands. With an inquiry, by what they answered to it; that keeps it open. NOT_FOUND. */
  members(request?: MembersRequest): Promise<readonly MembersReport[]>
  /** Asks all members of all shares, and this device, to look at their disks and say where they stand. */
  askMembers(): Promise<InquiryReport>
  /** Forgets a device, as forget does, and says what that means. USAGE: it is connected; NOT_FOUND: no such member. */
  removeMember(request: RemoveMemberRequest): Promise<RemovedMemberReport>
}

export const MEMBER_ROUTES: Routes<MemberCalls> = {
  peers: {
    ...{ method: 'GET', path: '/v1/peers', tag: 'members', input: undefined, answer: peerReports },
    summary: 'the connections, one for each share',
  },
  forget: {
    ...{ method: 'POST', path: '/v1/forget', tag: 'members', input: forgetRequest, answer: nothing },
    summary: 'drop a silent member until it is heard of again',
    takes: '{"device": 64 hex digits}',
  },
  members: {
    ...{ method: 'GET', path: '/v1/members', tag: 'members', input: membersRequest, answer: membersReports },
    summary: 'the members of every share, how far each is, and what it answered to an inquiry',
    takes: '"share": place in the configuration, "inquiry": 32 hex digits, each if wanted',
  },
  askMembers: {
    ...{ method: 'POST', path: '/v1/members/ask', tag: 'members', input: undefined, answer: inquiryReport },
    summary: 'ask all members to look at their disks and say where they stand',
  },
  removeMember: {
    ...{ method: 'POST', path: '/v1/members/remove', tag: 'members' },
    ...{ input: removeMemberRequest, answer: removedMemberReport },
    summary: 'drop a silent member until it is heard of again, and say what that means',
    takes: '{"device": 64 hex digits}',
  },
}
