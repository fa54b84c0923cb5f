// Set-user-id and set-group-id of files, while owners are not carried: a file belongs to the user the daemon runs as, so
// under root such a file of anybody's would run as root. There the bits are withheld from the disk; what the share says of
// them stays known, counts as applied, and is passed on. Directories are not concerned: nobody runs them.
import { type Fact, type FileFact, type LiveFact, sameFactContent } from './fact.js'
import type { DiskStat } from './stat.js'

const SETID_BITS = 0o6000

/** The mode that a file gets on this disk. `held`: the mode it has there, if it stays the same file; then it keeps its bits. */
export function modeToSet(fact: LiveFact & { readonly mode: number }, withholds: boolean, held = 0): number {
  return withholds && fact.type === 'file' ? fact.mode & ~(SETID_BITS & ~held) : fact.mode
}

/** The bits that a file was to have and that its stat shows it was not given. */
export function withheldBits(fact: Fact, stat: DiskStat | undefined): number {
  return fact.type === 'file' && stat !== undefined ? fact.mode & SETID_BITS & ~stat.mode : 0
}

/**
 * What was observed, with the bits that were withheld, so that their lack is nobody's change. `held` and `stat` are what
 * the path held when it was looked at or put there last, `known` other facts that may have been put there since. A content
 * that nobody knows has only the bits it shows, as when the kernel takes them from a file that is written to.
 */
export function withWithheld(
  observed: Fact,
  held: Fact,
  stat: DiskStat | undefined,
  known: readonly Fact[],
  withholds: boolean,
): Fact {
  if (observed.type !== 'file') return observed
  const isSame = (fact: Fact): fact is FileFact => fact.type === 'file' && sameFactContent(fact, observed)
  if (isSame(held)) {
    // Without a stat, nobody can tell whether the disk ever had them.
    const unsure = withholds ? held.mode & SETID_BITS : 0
    return { ...observed, mode: observed.mode | (stat === undefined ? unsure : withheldBits(held, stat)) }
  }
  const put = known.filter(isSame).find((fact) => {
    return withholds && fact.mtimeUs === observed.mtimeUs && observed.mode === modeToSet(fact, true)
  })
  return put === undefined ? observed : { ...observed, mode: put.mode }
}
