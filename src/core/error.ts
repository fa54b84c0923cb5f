// The one error class of Shoal, and the one table that says what each code means to a shell, to an HTTP client and to
// a person. Expected outcomes are returned values, never errors; a peer's bad message is a Violation (violation.ts).

import { shortageOf, shortageWords } from './shortage.js'

/** What went wrong, as a word that scripts may rely on. */
export type ErrorCode =
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'CONFIG_UNREADABLE'
  | 'FILE_EXPOSED'
  | 'WRONG_USER'
  | 'UNAUTHORIZED'
  | 'FORBIDDEN'
  | 'SECRET_INVALID'
  | 'SECRET_GRADE'
  | 'INVITE_INVALID'
  | 'INVITE_FAILED'
  | 'NOT_YET'
  | 'STORAGE_LOCKED'
  | 'STORAGE_UNUSABLE'
  | 'PID_FILE_UNUSABLE'
  | 'SHARE_UNUSABLE'
  | 'SHARE_HALTED'
  | 'PORT_IN_USE'
  | 'SUPERVISOR_RUNNING'
  | 'SUPERVISOR_UNREACHABLE'
  | 'DAEMON_UNREACHABLE'
  | 'MEMBER_UNREACHABLE'
  | 'NOT_FOUND'
  | 'EXISTS'
  | 'CONFLICT'
  | 'BLIND'
  | 'RELEASE_UNFIT'
  | 'FEED_CORRUPT'
  | 'BUCKET_UNREACHABLE'
  | 'BUCKET_REFUSED'
  | 'IO'
  | 'INTERNAL'

interface CodeMeaning {
  /** Process exit code, 1-125. */
  readonly exit: number
  /** HTTP status of the control API. */
  readonly status: number
  /** What to do about it, a sentence; empty where the message itself says it. */
  readonly hint: string
}

// Exit 2 and 3 of `shoal status --wait` are answers, not errors, so no code uses them.
const CODES: Readonly<Record<ErrorCode, CodeMeaning>> = {
  USAGE: { exit: 64, status: 400, hint: 'run shoal --help to see the commands' },
  CONFIG_INVALID: { exit: 78, status: 400, hint: '' },
  CONFIG_UNREADABLE: { exit: 66, status: 400, hint: 'check the path and its permissions' },
  FILE_EXPOSED: { exit: 77, status: 403, hint: '' },
  WRONG_USER: { exit: 77, status: 403, hint: '' },
  UNAUTHORIZED: { exit: 77, status: 401, hint: '' },
  FORBIDDEN: { exit: 77, status: 403, hint: '' },
  SECRET_INVALID: { exit: 65, status: 400, hint: 'a secret is one word made by: shoal secret new' },
  SECRET_GRADE: {
    exit: 65,
    status: 400,
    hint: 'derive the grade you need from the write secret with: shoal secret show',
  },
  INVITE_INVALID: {
    exit: 65,
    status: 400,
    hint: 'an invite is six groups of five letters and digits, made by: shoal invite CONFIG',
  },
  INVITE_FAILED: {
    exit: 69,
    status: 503,
    hint: 'an invite works once and for a limited time; ask for another',
  },
  NOT_YET: { exit: 69, status: 501, hint: '' },
  STORAGE_LOCKED: {
    exit: 75,
    status: 409,
    hint: 'stop the other daemon, or give this one its own storage_path',
  },
  STORAGE_UNUSABLE: {
    exit: 74,
    status: 500,
    hint: 'storage_path must be a folder that the user it runs as can write to',
  },
  PID_FILE_UNUSABLE: {
    exit: 73,
    status: 500,
    hint: 'give pid_file a name of its own in a folder that this user may write to, or leave it out',
  },
  SHARE_UNUSABLE: { exit: 74, status: 500, hint: '' },
  SHARE_HALTED: {
    exit: 75,
    status: 409,
    hint: 'read haltReason in shoal status, then run: shoal approve CONFIG',
  },
  PORT_IN_USE: { exit: 71, status: 500, hint: 'choose another port, or stop what has it' },
  SUPERVISOR_RUNNING: {
    exit: 75,
    status: 409,
    hint: 'see it with shoal ps, stop it with shoal down (of a folder: --dir FOLDER)',
  },
  SUPERVISOR_UNREACHABLE: {
    exit: 69,
    status: 503,
    hint: 'start it with: shoal up DIR; only the user who runs one sees it',
  },
  DAEMON_UNREACHABLE: {
    exit: 69,
    status: 503,
    hint: 'start it with: shoal run CONFIG; of one that shoal up runs, shoal ps says more',
  },
  MEMBER_UNREACHABLE: {
    exit: 69,
    status: 503,
    hint: 'see who is connected with: shoal peers CONFIG',
  },
  NOT_FOUND: { exit: 66, status: 404, hint: '' },
  EXISTS: { exit: 73, status: 409, hint: '' },
  CONFLICT: { exit: 75, status: 409, hint: 'see how it stands now with: shoal conflicts CONFIG' },
  BLIND: {
    exit: 65,
    status: 409,
    hint: 'ask a node that holds the write or read secret of the share',
  },
  RELEASE_UNFIT: { exit: 75, status: 409, hint: '' },
  FEED_CORRUPT: { exit: 74, status: 500, hint: '' },
  BUCKET_UNREACHABLE: { exit: 69, status: 503, hint: '' },
  BUCKET_REFUSED: { exit: 77, status: 403, hint: '' },
  IO: { exit: 74, status: 500, hint: '' },
  INTERNAL: { exit: 70, status: 500, hint: 'this is a bug in shoal; the log has the details' },
}

/** A failure with a code. The message says what could not be done, to what and why; never a secret. */
export class ShoalError extends Error {
  override readonly name = 'ShoalError'
  readonly code: ErrorCode
  readonly details: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly details?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.details = options.details ?? {}
  }
}

/** All codes. */
export function errorCodes(): readonly ErrorCode[] {
  return Object.keys(CODES) as ErrorCode[]
}

/** What a code means to a shell, an HTTP client and a person. */
export function meaningOf(code: ErrorCode): CodeMeaning {
  return CODES[code]
}

/** Wraps anything thrown as a ShoalError, keeping it as the cause. */
export function toShoalError(thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown
  const shortage = shortageOf(thrown)
  if (shortage !== undefined)
    return new ShoalError('IO', `${(thrown as Error).message}: ${shortageWords(shortage)}`, {
      cause: thrown,
      details: { code: shortage },
    })
  const isPartMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ERR_MODULE_NOT_FOUND'
  // Parts are loaded when they are needed first, by then perhaps from another version's files. A second try finds no more.
  const message = isPartMissing
    ? 'a part of the program is missing: it was replaced or removed while it ran, restart it'
    : thrown instanceof Error
      ? thrown.message
      : String(thrown)
  return new ShoalError('INTERNAL', message, { cause: thrown })
}

/** An invariant that the code itself must keep; failing is a bug, and the message names the invariant. */
export function invariant(condition: unknown, name: string): asserts condition {
  if (!condition) throw new ShoalError('INTERNAL', `broken invariant: ${name}`)
}

/** Ends a switch over a closed union. */
export function assertNever(value: never): never {
  throw new ShoalError('INTERNAL', `broken invariant: unexpected case ${JSON.stringify(value)}`)
}
