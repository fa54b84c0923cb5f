export interface StagingCleaning {
  readonly root: string
  readonly keepTokens: readonly string[]
}
export interface StagingCleaned {
  readonly removed: number
}
export function cleanStaging(_payload: StagingCleaning): StagingCleaned {
  return { removed: 0 }
}
