// The calls about the shares as a whole, and the daemon itself.
import { nothing, type Routes } from './route.js'
import { type ApproveRequest, approveRequest, type StatusReport, statusReport } from './schema.js'

export interface ShareCalls {
  status(): Promise<StatusReport>
  /** A full scan of all shares; resolves when it is done and announced. */
  scan(): Promise<void>
  /** Resolves when all that changed on disk before the call is seen, scanned and announced. */
  settle(): Promise<void>
  /** Lifts the halt (A5) of the share at this place in the configuration, or of all. NOT_FOUND: no such share. */
  approve(request?: ApproveRequest): Promise<void>
  /** Asks the daemon to stop; answers at once. */
  stop(): Promise<void>
}

export const SHARE_ROUTES: Routes<ShareCalls> = {
  status: {
    ...{ method: 'GET', path: '/v1/status', tag: 'shares', input: undefined, answer: statusReport },
    summary: 'the daemon and its shares, with members, problems and hooks',
  },
  scan: {
    ...{ method: 'POST', path: '/v1/scan', tag: 'shares', input: undefined, answer: nothing },
    summary: 'look at every file of all shares; answers when that is done and announced',
  },
  settle: {
    ...{ method: 'POST', path: '/v1/settle', tag: 'shares', input: undefined, answer: nothing },
    summary: 'answers when all that changed on disk before the call is announced',
  },
  approve: {
    ...{ method: 'POST', path: '/v1/approve', tag: 'shares', input: approveRequest, answer: nothing },
    summary: 'lift the halt of one share, or of all',
    takes: '{"share": place in the configuration, from 0}',
  },
  stop: {
    ...{ method: 'POST', path: '/v1/stop', tag: 'shares', input: undefined, answer: nothing },
    summary: 'stop the daemon',
  },
}
