// The calls about rates (X4).
import type { Routes } from './route.js'
import { type LimitsReport, type LimitsRequest, limitsReport, limitsRequest } from './schema-limits.js'

export interface LimitCalls {
  limits(): Promise<LimitsReport>
  /**
   * Holds from now, whatever the schedule says, until a restart, a reset, or until the configuration's own limits are
   * changed. The limits after that. NOT_FOUND.
   */
  setLimits(request: LimitsRequest): Promise<LimitsReport>
}

export const LIMIT_ROUTES: Routes<LimitCalls> = {
  limits: {
    ...{ method: 'GET', path: '/v1/limits', tag: 'limits', input: undefined, answer: limitsReport },
    summary:
      'how much is received and sent at most, bytes per second for all shares together; 0: no limit. Who says so, until when, and which shares have limits of their own',
  },
  setLimits: {
    ...{ method: 'PUT', path: '/v1/limits', tag: 'limits', input: limitsRequest, answer: limitsReport },
    summary: 'set them, until a restart',
    takes:
      '{"download": bytes per second, 0: no limit, "upload": the same, "share": of one alone, "reset": true for what the configuration says}',
  },
}
