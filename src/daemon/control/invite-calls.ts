// The calls about invites.
import type { InviteCalls } from '../../control/calls-invites.js'
import type { InviteReport, InviteRequest, NewInviteReport, RevokeRequest } from '../../control/schema.js'
import { ShoalError } from '../../core/error.js'
import type { InviteRecord } from '../../invite/record.js'
import type { AnyShare } from '../any-share.js'
import { type DaemonView, isoTime, sharesOf } from './view.js'

export function inviteCalls(view: DaemonView): InviteCalls {
  return {
    async invites(): Promise<InviteReport[]> {
      const shares = await sharesOf(view)
      return (view.invites()?.list() ?? []).map((record) => inviteReport(record, shares))
    },

    async invite({ share, grade, lifeMs }: InviteRequest): Promise<NewInviteReport> {
      const shares = await sharesOf(view)
      const host = view.invites()
      if (host === undefined) throw new ShoalError('INTERNAL', 'there is nobody to keep an invite')
      const { record, text } = host.create(share, grade, lifeMs)
      return { ...inviteReport(record, shares), invite: text, port: view.port() }
    },

    async revokeInvite({ id }: RevokeRequest): Promise<void> {
      await sharesOf(view)
      view.invites()?.revoke(id)
    },
  }
}

function inviteReport(
  record: InviteRecord,
  shares: readonly Pick<AnyShare, 'shareId' | 'dir'>[],
): InviteReport {
  const { id, grade, type, createdMs, expiresMs, wrongTries } = record
  return {
    id,
    // A share that was taken out of the configuration leaves what became of its invites.
    dir: shares.find(({ shareId }) => shareId === record.share)?.dir ?? '',
    grade,
    state: type,
    createdAt: isoTime(createdMs),
    expiresAt: isoTime(expiresMs),
    wrongTries,
    closedAt: type === 'open' ? null : isoTime(record.atMs),
    usedBy: type === 'used' ? record.address : null,
    confirmed: type === 'used' ? record.isConfirmed : null,
  }
}
