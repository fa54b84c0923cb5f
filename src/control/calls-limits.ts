// The calls about rates (X4).
import type { Routes } from './route.js'
import { type LimitsReport, type LimitsRequest, limitsReport, limitsRequest } from './schema-shares.js'

export interface LimitCalls {
  limits(): Promise<LimitsReport>
  /** Holds from now until a restart, or until the configuration's own limits are changed. The limits after that. */
  setLimits(request: LimitsRequest): Promise<LimitsReport>
}

export const LIMIT_ROUTES: Routes<LimitCalls> = {
  limits: {
    ...{ method: 'GET', path: '/v1/limits', tag: 'limits', input: undefined, answer: limitsReport },
    summary: 'how much is received and sent at most, bytes per second for all shares together; 0: no limit',
  },
  setLimits: {
    ...{ method: 'PUT', path: '/v1/limits', tag: 'limits', input: limitsRequest, answer: limitsReport },
    summary: 'set them, until a restart',
    takes: '{"download": bytes per second, 0: no limit, "upload": the same}',
  },
}
