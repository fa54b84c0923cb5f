// Hypercore prints one line to stdout when it detects a conflict, with no switch to turn it off; stdout belongs to the
// command line. While any feed store is open, exactly that line is held back (we log the conflict ourselves), and
// everything else passes through to whatever console.log was.

const PREFIX = '[hypercore] conflict detected in '

let users = 0
let original: typeof console.log | undefined // what the filter passes on to; undefined: not installed

/** Holds the line back until the returned function is called, once. */
export function holdBackConflictLine(): () => void {
  if (users++ === 0) install()
  let released = false
  return () => {
    if (released) return
    released = true
    if (--users === 0) uninstall()
  }
}

function filtered(...args: unknown[]): void {
  if (typeof args[0] === 'string' && args[0].startsWith(PREFIX)) return
  original?.apply(console, args as Parameters<typeof console.log>)
}

function install(): void {
  if (original !== undefined) return
  original = console.log
  console.log = filtered
}

function uninstall(): void {
  // Somebody may have wrapped console.log after us; then the filter stays below theirs and does no harm.
  if (console.log !== filtered || original === undefined) return
  console.log = original
  original = undefined
}
