// Which files some process has open for writing (A8), as far as this process may see: /proc/PID/fd of every process it
// has the right to look into, except its own. Best effort on purpose: what it reports is open, what it does not report
// may be open all the same (another user's process, a shared mapping, another machine), so it only spares half-written
// files; that a file changed while it was read is told by its stat.
import fs from 'node:fs'

/** A file by what its open descriptors say about it. */
export interface FileIdentity {
  readonly dev: number
  readonly ino: number
}

export interface OpenFiles {
  /** Keys (see fileKey) of those asked about that are open for writing. */
  readonly open: ReadonlySet<string>
  /** Every process that may be looked into was. */
  readonly complete: boolean
}

/**
 * A pass over 500 processes takes about 20 ms; a machine with ten times that gives up part of the answer rather than
 * hold every batch up for longer.
 */
const BUDGET_MS = 300

/** The access mode within open(2)'s flags; node:fs does not name the mask. */
const O_ACCMODE = 3

export function fileKey(file: FileIdentity): string {
  return `${file.dev}:${file.ino}`
}

/** Looks for these files; one pass over the processes whatever their number. Never throws. */
export function openForWriting(files: readonly FileIdentity[], budgetMs: number = BUDGET_MS): OpenFiles {
  const wanted = new Set(files.map(fileKey))
  const open = new Set<string>()
  if (wanted.size === 0) return { open, complete: true }
  const endMs = performance.now() + budgetMs
  const self = String(process.pid)
  // The youngest first: what is being written now is more often a child of something than the something.
  const processes = namesIn('/proc')
    .filter((name) => isNumber(name) && name !== self)
    .sort((a, b) => Number(b) - Number(a))
  for (const id of processes) {
    for (const fd of namesIn(`/proc/${id}/fd`)) {
      const key = writtenFile(`/proc/${id}`, fd, wanted)
      if (key !== undefined) open.add(key)
    }
    if (open.size === wanted.size) return { open, complete: true }
    if (performance.now() > endMs) return { open, complete: false }
  }
  return { open, complete: processes.length > 0 }
}

/** The key of what a descriptor writes to, if it is one of the wanted. */
function writtenFile(place: string, fd: string, wanted: ReadonlySet<string>): string | undefined {
  try {
    // The link's text is the cheaper question, and most descriptors are pipes, sockets and the like.
    if (!fs.readlinkSync(`${place}/fd/${fd}`).startsWith('/')) return undefined
    const stats = fs.statSync(`${place}/fd/${fd}`, { throwIfNoEntry: false })
    if (stats === undefined || !stats.isFile()) return undefined
    const key = fileKey(stats)
    if (!wanted.has(key)) return undefined
    const flags = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(`${place}/fdinfo/${fd}`, 'utf8'))?.[1]
    const isReading = flags !== undefined && (Number.parseInt(flags, 8) & O_ACCMODE) === fs.constants.O_RDONLY
    return isReading ? undefined : key
  } catch {
    // The process or the descriptor is gone, or not ours to see: not open as far as can be told.
    return undefined
  }
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory)
  } catch {
    // A process that ended or belongs to someone else; or there is no /proc, and nothing can be told.
    return []
  }
}

function isNumber(name: string): boolean {
  const first = name.charCodeAt(0)
  return first >= 0x30 && first <= 0x39
}
