// The calls about a reader's own changes.
import { nothing, type Routes } from './route.js'
import {
  type AcknowledgeRequest,
  type ArchiveExtraReport,
  type ArchiveExtraRequest,
  acknowledgeRequest,
  archiveExtraReport,
  archiveExtraRequest,
  type DriftPath,
  type DriftReport,
  driftReport,
  driftReports,
  type MemberDriftReport,
  memberDriftReports,
  type RestoreDriftReport,
  type RestoreDriftRequest,
  restoreDriftReport,
  restoreDriftRequest,
  withdrawRequest,
} from './schema-drift.js'

export interface DriftCalls {
  drift(): Promise<readonly DriftReport[]>
  /** What all members have reported of their own drift. */
  driftOfAll(): Promise<readonly MemberDriftReport[]>
  /** Says that a drift is meant. NOT_FOUND: no such share, or no drift there; USAGE: the reason or how long it holds. */
  acknowledgeDrift(request: AcknowledgeRequest): Promise<DriftReport>
  /** Takes an acknowledgement back. NOT_FOUND: nothing was said of that path. */
  withdrawDrift(request: DriftPath): Promise<void>
  /** Moves extra files to the archive; says what became of each. NOT_FOUND: no such share; SHARE_HALTED; USAGE. */
  archiveExtra(request?: ArchiveExtraRequest): Promise<ArchiveExtraReport>
  /** Puts back what the share says; says what became of each path. NOT_FOUND: no such share; SHARE_HALTED; USAGE. */
  restoreDrift(request: RestoreDriftRequest): Promise<RestoreDriftReport>
}

const PATH = '"share": place in the configuration, "path": PATH'

export const DRIFT_ROUTES: Routes<DriftCalls> = {
  drift: {
    ...{ method: 'GET', path: '/v1/drift', tag: 'drift', input: undefined, answer: driftReports },
    summary: "this node's own changes to shares that it only reads",
  },
  driftOfAll: {
    ...{ method: 'GET', path: '/v1/drift/all', tag: 'drift', input: undefined, answer: memberDriftReports },
    summary: 'what all members have reported of their own drift',
  },
  acknowledgeDrift: {
    ...{ method: 'POST', path: '/v1/drift/acknowledge', tag: 'drift' },
    ...{ input: acknowledgeRequest, answer: driftReport },
    summary: 'say that a drift is meant, until the time is up or it is another one',
    takes: `{${PATH}, "reason": TEXT, "lifeMs": milliseconds}`,
  },
  withdrawDrift: {
    ...{ method: 'POST', path: '/v1/drift/withdraw', tag: 'drift', input: withdrawRequest, answer: nothing },
    summary: 'take an acknowledgement back',
    takes: `{${PATH}}`,
  },
  archiveExtra: {
    ...{ method: 'POST', path: '/v1/drift/archive-extra', tag: 'drift' },
    ...{ input: archiveExtraRequest, answer: archiveExtraReport },
    summary: 'move extra files to the archive',
    takes: '{"share": place in the configuration, from 0, "paths": [PATH, ...]}',
  },
  restoreDrift: {
    ...{ method: 'POST', path: '/v1/drift/restore', tag: 'drift' },
    ...{ input: restoreDriftRequest, answer: restoreDriftReport },
    summary: 'put back what the share says; what was there goes to the archive',
    takes: '{"share": place in the configuration, from 0, "paths": [PATH, ...]}',
  },
}
