// The calls about the shares as a whole, and the daemon itself.
import { nothing, type Routes } from './route.js'
import { type ApproveRequest, approveRequest, type StatusReport, statusReport } from './schema.js'
import { type OneOrAll, oneOrAll, type ShareProblemReport, shareProblemReports } from './schema-shares.js'

export interface ShareCalls {
  status(): Promise<StatusReport>
  /** A full scan of one share, or of all; resolves when it is done and announced. NOT_FOUND: no such share. */
  scan(request?: OneOrAll): Promise<void>
  /** Resolves when all that changed on disk before the call is seen, scanned and announced. */
  settle(): Promise<void>
  /** Lifts the halt (A5) of the share at this place in the configuration, or of all. NOT_FOUND: no such share. */
  approve(request?: ApproveRequest): Promise<void>
  /** The problems of all shares (A6), as their status has them. */
  problems(): Promise<readonly ShareProblemReport[]>
  /**
   * Has one share, or all, leave the swarm: no peers, nothing sent or received, until resumed; over restarts, too. What
   * changes on this disk is noted all the while. NOT_FOUND: no such share.
   */
  pause(request?: OneOrAll): Promise<void>
  /** Ends that. NOT_FOUND: no such share. */
  resume(request?: OneOrAll): Promise<void>
  /** Asks the daemon to stop; answers at once. */
  stop(): Promise<void>
}

const ONE_OR_ALL = '{"share": place in the configuration, from 0}'

export const SHARE_ROUTES: Routes<ShareCalls> = {
  status: {
    ...{ method: 'GET', path: '/v1/status', tag: 'shares', input: undefined, answer: statusReport },
    summary: 'the daemon and its shares, with members, problems and hooks',
  },
  scan: {
    ...{ method: 'POST', path: '/v1/scan', tag: 'shares', input: oneOrAll, answer: nothing },
    summary: 'look at every file of one share, or of all; answers when that is done and announced',
    takes: ONE_OR_ALL,
  },
  settle: {
    ...{ method: 'POST', path: '/v1/settle', tag: 'shares', input: undefined, answer: nothing },
    summary: 'answers when all that changed on disk before the call is announced',
  },
  approve: {
    ...{ method: 'POST', path: '/v1/approve', tag: 'shares', input: approveRequest, answer: nothing },
    summary: 'lift the halt of one share, or of all',
    takes: ONE_OR_ALL,
  },
  problems: {
    ...{ method: 'GET', path: '/v1/problems', tag: 'shares', input: undefined, answer: shareProblemReports },
    summary: 'the problems of all shares',
  },
  pause: {
    ...{ method: 'POST', path: '/v1/pause', tag: 'shares', input: oneOrAll, answer: nothing },
    summary: 'have one share, or all, speak with nobody until resumed',
    takes: ONE_OR_ALL,
  },
  resume: {
    ...{ method: 'POST', path: '/v1/resume', tag: 'shares', input: oneOrAll, answer: nothing },
    summary: 'end the pause of one share, or of all',
    takes: ONE_OR_ALL,
  },
  stop: {
    ...{ method: 'POST', path: '/v1/stop', tag: 'shares', input: undefined, answer: nothing },
    summary: 'stop the daemon',
  },
}
