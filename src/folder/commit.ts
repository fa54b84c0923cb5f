export interface CommitPayload {
  readonly root: string
  readonly jobs: readonly CommitJob[]
  readonly options: CommitOptions
}
export type CommitJob = never
export interface CommitOptions {
  readonly archive: boolean
  readonly atMs: number
}
export type CommitResult = never
export function commitBatch(_payload: CommitPayload): CommitResult[] {
  return []
}
