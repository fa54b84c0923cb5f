// What storages reject with, and how the two kinds that matter are told apart: no room, and not there.
import { ShoalError } from '../core/error.js'
import { isShortage, shortageWords } from '../core/shortage.js'

const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT'])

/** Wraps what the system said about a pack or a file of a vault. */
export function storageFailed(what: string, thrown: unknown): ShoalError {
  if (thrown instanceof ShoalError) return thrown
  const code = codeOf(thrown)
  if (code !== undefined && NO_ROOM.has(code)) return noRoom(what, thrown)
  const message = `${what}: ${thrown instanceof Error ? thrown.message : String(thrown)}`
  if (code === 'ENOENT') return new ShoalError('NOT_FOUND', `${what}: it is not there`, { cause: thrown })
  if (code === 'ENOTDIR')
    return new ShoalError('IO', `${what}: it is no folder`, { cause: thrown, details: { code } })
  if (code !== undefined && isShortage(code))
    return new ShoalError('IO', `${what}: ${shortageWords(code)}`, { cause: thrown, details: { code } })
  return new ShoalError('IO', message, { cause: thrown, details: { code } })
}

/** There is no room for it. */
export function noRoom(what: string, cause?: unknown): ShoalError {
  return new ShoalError('IO', `${what}: no space left for the vault`, {
    ...(cause === undefined ? {} : { cause }),
    details: { isVaultFull: true },
  })
}

/** Whether something failed for lack of room alone: it can be tried again when there is some. */
export function isVaultFull(thrown: unknown): boolean {
  return thrown instanceof ShoalError && thrown.details.isVaultFull === true
}

/** A pack is not there, or shorter than it should be. */
export function lessThere(what: string): ShoalError {
  return new ShoalError('NOT_FOUND', `${what}: less is there`)
}

export function isNotThere(thrown: unknown): boolean {
  return thrown instanceof ShoalError && thrown.code === 'NOT_FOUND'
}

/** The medium gives back an error for these bytes (EIO): as bad as a flipped bit, if the rest can still be read. */
export function isBadMedium(thrown: unknown): boolean {
  return thrown instanceof ShoalError && thrown.details.code === 'EIO'
}

/** Not a file that this process may read: a directory, a link, a pipe, no permission. It says nothing of the others. */
const NO_FILE: ReadonlySet<unknown> = new Set(['EACCES', 'EPERM', 'EISDIR', 'ELOOP', 'ENXIO', 'ESPIPE'])

/** Whether something cannot be read for what it is, and not because the storage as a whole fails. */
export function isUnreadable(thrown: unknown): thrown is ShoalError {
  return thrown instanceof ShoalError && NO_FILE.has(thrown.details.code)
}

/** For what opens a vault for reading alone. */
export function readOnly(what: string): ShoalError {
  return new ShoalError('STORAGE_UNUSABLE', `${what}: the vault is open for reading alone`)
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : undefined
}
