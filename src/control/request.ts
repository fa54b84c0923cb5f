// Requests and responses of the control API, as values: no sockets. Whoever listens (server.ts) makes them of bytes.
import { meaningOf, type ShoalError } from '../core/error.js'
import { redactSecrets } from '../core/secret-redact.js'
import type { ErrorReport } from './schema.js'

export interface ControlRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** What follows the question mark, encoded as it came. */
  readonly query?: string
  /** JSON, or nothing. */
  readonly body?: string
  /** Where it came in. Default: the socket that only the daemon's own user reaches. */
  readonly via?: 'socket' | 'tcp'
  /** The id of the last event that a client of an event stream has seen (Last-Event-ID). */
  readonly lastEventId?: string
}

export type ControlResponse =
  | {
      readonly status: number
      /** A JSON value. */
      readonly body: unknown
    }
  | { readonly status: number; readonly text: string; readonly contentType: string }
  /** Server-sent events, until the client goes away: then the stream's return() is called. */
  | { readonly status: number; readonly events: AsyncIterable<string> }

/** The response that tells of an error. */
export function errorResponse(error: ShoalError): { readonly status: number; readonly body: ErrorReport } {
  const { status, hint } = meaningOf(error.code)
  return { status, body: { error: { code: error.code, message: redactSecrets(error.message), hint } } }
}
