// What is to be said of a configuration before it is used.
import type { ConfigWarning } from '../config/problems.js'
import type { CliIo } from './io.js'

/** Prints warnings, and notes unless they are not wanted. */
export function tellRemarks(io: CliIo, remarks: readonly ConfigWarning[]): void {
  for (const { text, isNote } of remarks)
    if (!isNote || io.isQuiet !== true) io.err(`${isNote ? 'note' : 'warning'}: ${text}\n`)
}
