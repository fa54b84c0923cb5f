// The calls about conflicts (V5).
import type { Routes } from './route.js'
import { type ConflictReport, conflictReports } from './schema.js'

export interface ConflictCalls {
  conflicts(): Promise<readonly ConflictReport[]>
}

export const CONFLICT_ROUTES: Routes<ConflictCalls> = {
  conflicts: {
    ...{ method: 'GET', path: '/v1/conflicts', tag: 'conflicts', input: undefined, answer: conflictReports },
    summary: 'the conflict copies in the trees',
  },
}
