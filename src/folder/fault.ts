// What file system calls below a root (safefs.ts) fail with, and what can be told from it.
/** Why a path could not be reached. Everything else that fails is an error of node:fs with its own code. */
export type PathFaultCode =
  /** A part of the path above its last name is a symlink (A1). */
  | 'SYMLINK_IN_PATH'
  /** A part above the last name is something else than a directory. */
  | 'NOT_A_DIRECTORY'
  /** A part above the last name does not exist. */
  | 'PARENT_MISSING'
  /** A part above the last name is on another file system than the root: something is mounted there (A7). */
  | 'OTHER_FILE_SYSTEM'
  /** The text is no relative path: a bug of the caller. */
  | 'BAD_PATH'

export class PathFault extends Error {
  override readonly name = 'PathFault'
  readonly code: PathFaultCode

  constructor(code: PathFaultCode, detail: string) {
    super(detail)
    this.code = code
  }
}

/** A failure as a word for scripts and a sentence for people. */
export interface Fault {
  readonly code: string
  readonly detail: string
}

/** The `code` of a thrown error, 'UNKNOWN' if it has none. */
export function codeOf(thrown: unknown): string {
  if (!(thrown instanceof Error) || !('code' in thrown) || typeof thrown.code !== 'string') return 'UNKNOWN'
  return NAMELESS[thrown.code]?.[0] ?? thrown.code
}

/** What network file systems say that libuv has no name for, by what it gives instead. */
const NAMELESS: Readonly<Record<string, readonly [code: string, detail: string]>> = {
  'Unknown system error -116': ['ESTALE', 'the server of this file system does not know it any more'],
  'Unknown system error -121': ['EREMOTEIO', 'remote i/o error'],
}

/** A thrown error as a Fault; the descriptor paths that node puts into its messages are left out. */
export function faultOf(thrown: unknown): Fault {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const code = codeOf(thrown)
  const named = Object.values(NAMELESS).find(([each]) => each === code)
  if (named !== undefined) return { code, detail: `${code}: ${named[1]}` }
  return { code, detail: message.replace(/, [a-z]+( '.*)?$/s, '') }
}

/** Whether a failure says that there is nothing at the path, or no way to it. */
export function isGone(thrown: unknown): boolean {
  const code = codeOf(thrown)
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'PARENT_MISSING' || code === 'NOT_A_DIRECTORY'
}

/** Whether a failure says that this file system has no such operation (link, exchange). */
export function isUnsupported(thrown: unknown): boolean {
  return isUnsupportedCode(codeOf(thrown))
}

/** The same of the code alone. */
export function isUnsupportedCode(code: string): boolean {
  return UNSUPPORTED.has(code)
}

// link: EPERM on FAT and some network file systems, and where fs.protected_hardlinks forbids it for a file of another
// owner; EMLINK at the limit of links. exchange: EINVAL where the flag is not known, ENOSYS on old kernels.
const UNSUPPORTED: ReadonlySet<string> = new Set([
  'EPERM',
  'ENOSYS',
  'ENOTSUP',
  'EOPNOTSUPP',
  'EINVAL',
  'EMLINK',
])
