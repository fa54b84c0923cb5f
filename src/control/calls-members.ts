// The calls about who is in the shares, and who is connected.
import { nothing, type Routes } from './route.js'
import { type ForgetRequest, forgetRequest, type PeerReport, peerReports } from './schema.js'

export interface MemberCalls {
  peers(): Promise<readonly PeerReport[]>
  /**
   * Drops a device from the members of all shares that it is silent in, until it is heard of again. USAGE: it is
   * connected; NOT_FOUND: no such member.
   */
  forget(request: ForgetRequest): Promise<void>
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
}
