// The calls about who is in the shares, and who is connected.
import type { MemberCalls } from '../../control/calls-members.js'
import type { ForgetRequest, PeerReport } from '../../control/schema.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId } from '../../core/ids.js'
import { peerFacts } from './peer-facts.js'
import { type DaemonView, sharesOf } from './view.js'

export function memberCalls(view: DaemonView): MemberCalls {
  return {
    async peers(): Promise<PeerReport[]> {
      const shares = await sharesOf(view)
      return shares.flatMap((share) => peerFacts(share).map(({ report }) => ({ dir: share.dir, ...report })))
    },

    async forget({ device }: ForgetRequest): Promise<void> {
      const shares = await sharesOf(view)
      const found = shares.filter(({ members }) => members.all().some(({ state }) => state.device === device))
      const short = device.slice(0, 16)
      if (found.length === 0)
        throw new ShoalError('NOT_FOUND', `no device ${short} is a member of a share here`)
      const silent = found.filter(({ peers }) => !peers.some((peer) => peer.device === device))
      if (silent.length === 0)
        throw new ShoalError('USAGE', `cannot forget the device ${short}: it is connected`)
      for (const { members, reports } of silent) {
        members.forget(device as DeviceId)
        reports.forget(device as DeviceId)
      }
    },
  }
}
