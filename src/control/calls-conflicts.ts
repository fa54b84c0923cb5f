// The calls about conflicts (V5).
import type { Routes } from './route.js'
import {
  type ConflictReport,
  conflictReports,
  type ResolveReport,
  type ResolveRequest,
  resolveReport,
  resolveRequest,
} from './schema-conflicts.js'

export interface ConflictCalls {
  conflicts(): Promise<readonly ConflictReport[]>
  /**
   * Ends a conflict by ordinary file operations on this disk; what is not kept goes to the archive first. Answers when
   * that is published. NOT_FOUND: no such share or copy; SECRET_GRADE: a reader; CONFLICT: it is not as it was listed, or
   * not all here yet; SHARE_HALTED; IO.
   */
  resolveConflict(request: ResolveRequest): Promise<ResolveReport>
}

export const CONFLICT_ROUTES: Routes<ConflictCalls> = {
  conflicts: {
    ...{ method: 'GET', path: '/v1/conflicts', tag: 'conflicts', input: undefined, answer: conflictReports },
    summary: 'the conflict copies in the trees, each with both versions',
  },
  resolveConflict: {
    ...{ method: 'POST', path: '/v1/conflicts/resolve', tag: 'conflicts' },
    ...{ input: resolveRequest, answer: resolveReport },
    summary: 'keep what stands at the path, what lies in the copy, or both; the rest goes to the archive',
    takes:
      '{"share": place in the configuration, "copy": PATH, "keep": this, other or both, "id": as listed, or absent}',
  },
}
