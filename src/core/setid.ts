// Set-user-id and set-group-id of files whose owner is not carried: such a file belongs to the user the daemon runs as, so
// under root one of anybody's would run as root. There the bits are withheld from the disk, and so they are where an owner
// could not be set; what the share says of them stays known, counts as applied, and is passed on (metadata.ts).
// Directories are not concerned: nobody runs them.
import type { Fact, LiveFact } from './fact.js'
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
