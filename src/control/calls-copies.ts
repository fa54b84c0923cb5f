// The calls about how many devices hold what.
import type { Routes } from './route.js'
import { type StopReport, type StopRequest, stopReports, stopRequest } from './schema-copies.js'

export interface CopyCalls {
  /**
   * Whether this device may be powered off, share by share: asks all members that are connected, and has every disk looked
   * at. Takes as long as that. NOT_FOUND: no such share.
   */
  safeToStop(request?: StopRequest): Promise<readonly StopReport[]>
}

export const COPY_ROUTES: Routes<CopyCalls> = {
  safeToStop: {
    ...{ method: 'POST', path: '/v1/safe-to-stop', tag: 'members', input: stopRequest, answer: stopReports },
    summary: 'whether this device may be powered off: who else holds what it holds, asked afresh',
    takes: '{"share": place in the configuration, from 0, "timeoutMs": milliseconds}',
  },
}
