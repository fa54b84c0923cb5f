// How the control API over TCP says no: as an error report like every other, with the HTTP status that fits.
import { ShoalError } from '../../core/error.js'
import { type ControlResponse, errorResponse } from '../request.js'

export interface Refusal {
  readonly response: ControlResponse
  /** Besides those of every answer. */
  readonly headers?: Readonly<Record<string, string>>
}

/** Statuses that are no code's own are given. The message says what to do and quotes nothing of the request. */
export function refuse(
  code: 'USAGE' | 'UNAUTHORIZED' | 'FORBIDDEN' | 'NOT_FOUND',
  message: string,
  rest: { readonly status?: number; readonly headers?: Readonly<Record<string, string>> } = {},
): Refusal {
  const { body, status } = errorResponse(new ShoalError(code, message))
  return {
    // Hints are for the command line.
    response: { status: rest.status ?? status, body: { error: { ...body.error, hint: '' } } },
    ...(rest.headers === undefined ? {} : { headers: rest.headers }),
  }
}
