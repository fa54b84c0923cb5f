// The calls about invites.
import { nothing, type Routes } from './route.js'
import {
  type InviteReport,
  type InviteRequest,
  inviteReports,
  inviteRequest,
  type NewInviteReport,
  newInviteReport,
  type RevokeRequest,
  revokeRequest,
} from './schema.js'

export interface InviteCalls {
  /** Those that have not expired, oldest first. */
  invites(): Promise<readonly InviteReport[]>
  /** Makes an invite; the answer alone holds its code. NOT_FOUND: no such share; SECRET_GRADE; USAGE: its life. */
  invite(request: InviteRequest): Promise<NewInviteReport>
  /** Ends an open invite, or forgets a closed one. NOT_FOUND: no such invite. */
  revokeInvite(request: RevokeRequest): Promise<void>
}

export const INVITE_ROUTES: Routes<InviteCalls> = {
  invites: {
    ...{ method: 'GET', path: '/v1/invites', tag: 'invites', input: undefined, answer: inviteReports },
    summary: 'the invites that have not expired, oldest first',
  },
  invite: {
    ...{ method: 'POST', path: '/v1/invites', tag: 'invites', input: inviteRequest, answer: newInviteReport },
    summary: 'make an invite; the answer alone holds its code',
    takes: '{"share": place in the configuration, "grade": write or read, "lifeMs": milliseconds}',
    // Its code lets somebody in.
    access: 'socket',
  },
  revokeInvite: {
    ...{ method: 'POST', path: '/v1/invites/revoke', tag: 'invites', input: revokeRequest, answer: nothing },
    summary: 'end an open invite, or forget a closed one',
    takes: '{"id": 8 hex digits}',
  },
}
