import type { PieceKeys } from '../core/piece.js'
export type StageJob = never
export type StageResult = never
export interface StagePayload {
  readonly root: string
}
export function packStageJobs(
  root: string,
  _keys: PieceKeys,
  _jobs: readonly StageJob[],
  _bytes: ArrayBuffer,
): StagePayload {
  return { root }
}
export function stageBatch(_payload: StagePayload): StageResult[] {
  return []
}
