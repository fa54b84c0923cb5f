// What this device's disk still needs, path by path: the share's effective state against what is applied here. The order
// of steps over many paths is phaseOf's; whether a step may happen at all (pieces at hand, file as expected) is decided
// when it is carried out (A3).
import { type DirectoryFact, type FileFact, type SymlinkFact, sameFact, sameFactContent } from './fact.js'
import type { Applied } from './local.js'
import type { Effective } from './tree.js'
import { compareVersions } from './version.js'

export type Step =
  /** Disk and knowledge are as they should be. */
  | { readonly type: 'none' }
  /** The disk is right, only the version it stands for is newer. */
  | { readonly type: 'adopt' }
  | { readonly type: 'metadata'; readonly fact: FileFact | DirectoryFact | SymlinkFact }
  | { readonly type: 'write'; readonly fact: FileFact }
  | { readonly type: 'symlink'; readonly fact: SymlinkFact }
  | { readonly type: 'mkdir'; readonly fact: DirectoryFact }
  | { readonly type: 'remove'; readonly was: 'file' | 'directory' | 'symlink' }

/** The step that takes a path from what is applied to what the share says. */
export function stepFor(share: Effective, applied: Applied): Step {
  const { fact } = share
  if (sameFact(fact, applied.fact)) {
    return compareVersions(share.version, applied.version) === 'equal' ? { type: 'none' } : { type: 'adopt' }
  }
  if (fact.type === 'absent') {
    return applied.fact.type === 'absent' ? { type: 'adopt' } : { type: 'remove', was: applied.fact.type }
  }
  if (sameFactContent(fact, applied.fact)) return { type: 'metadata', fact }
  switch (fact.type) {
    case 'file':
      return { type: 'write', fact }
    case 'symlink':
      return { type: 'symlink', fact }
    case 'directory':
      return { type: 'mkdir', fact }
  }
}

/**
 * When a step's turn is among the steps of one batch, lower first: directories from the top down, then contents, then
 * removals from the bottom up, then times of directories, which everything before disturbs.
 */
export function phaseOf(step: Step, depth: number): number {
  switch (step.type) {
    case 'mkdir':
      return depth
    case 'none':
    case 'adopt':
    case 'write':
    case 'symlink':
      return MAX_DEPTH
    case 'remove':
      return 2 * MAX_DEPTH + (MAX_DEPTH - depth)
    case 'metadata':
      return step.fact.type === 'directory' ? 4 * MAX_DEPTH - depth : MAX_DEPTH
  }
}

/** Above any depth that MAX_PATH_BYTES allows. */
const MAX_DEPTH = 2048
