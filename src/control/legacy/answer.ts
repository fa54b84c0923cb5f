// How BitTorrent Sync's API answered: always status 200, with what was asked for or {"error": number, "message": text}. Its
// numbers are those that its documentation and its clients' records of it have; 300 and above are Shoal's own.
import { redactSecrets } from '../../core/secret-redact.js'
import type { ControlResponse } from '../request.js'

export const ERRORS = {
  /** No such method; of remove_folder, no such folder. */
  METHOD: 1,
  /** A parameter is missing, or is none. */
  PARAMETERS: 2,
  /** No secret, or none of a folder that is here. */
  SECRET: 3,
  /** add_folder: it is not there, is no folder, or cannot be shared. */
  FOLDER: 100,
  /** add_folder: it cannot be written, or may not be shared. */
  PERMISSION: 101,
  /** In get_folders: it is not the folder that it was. */
  NOT_SYNC_FOLDER: 103,
  /** add_folder: the share or the folder is here already. */
  TWICE: 200,
  /** add_folder: that is no secret. */
  NEW_SECRET: 201,
  /** What Shoal does not have, or does not tell. */
  NOT_OFFERED: 300,
  /** What stands in the configuration file, which is the user's. */
  CONFIGURED: 301,
  /** Anything else. */
  FAILED: 302,
} as const

/** Why a method cannot do what it is asked for. */
export class LegacyError extends Error {
  override readonly name = 'LegacyError'
  readonly number: number

  constructor(number: number, message: string) {
    super(message)
    this.number = number
  }
}

export function answer(body: unknown): ControlResponse {
  return { status: 200, body }
}

/** add_folder said "result" where the documentation says "error"; clients look at either. */
export function errorAnswer(method: string, { number, message }: LegacyError): ControlResponse {
  const named = method === 'add_folder' ? { result: number } : {}
  return answer({ error: number, message: redactSecrets(message), ...named })
}
