// Calls the control API of the daemon that runs on a storage path. Promises: every failure is a ShoalError; the daemon's
// own errors come out with their code; DAEMON_UNREACHABLE means that nobody answered. Answers are checked before use.
import { request } from 'node:http'
import { type ErrorCode, meaningOf, ShoalError } from '../core/error.js'
import { type CallName, type ControlBackend, ROUTES } from './calls.js'
import type { AnswerOf, Route } from './route.js'
import { errorReport } from './schema.js'
import { socketAddress } from './socket.js'

/** A tree of a million files with problems is far below this. */
const MAX_ANSWER_BYTES = 256 << 20

/** A question is answered from memory; scans and the like may take as long as they take. */
const QUESTION_TIMEOUT_MS = 60_000

/** Options of every call: `signal` gives up waiting. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

/** One method for each call of the API (calls.ts): its input, if it takes one, and options. */
export type ControlClient = {
  readonly [Name in CallName]: Parameters<ControlBackend[Name]> extends readonly []
    ? (options?: CallOptions) => Promise<AnswerOf<ControlBackend[Name]>>
    : (
        ...args: [...Parameters<ControlBackend[Name]>, options?: CallOptions]
      ) => Promise<AnswerOf<ControlBackend[Name]>>
}

/** A client for the daemon that runs on a storage path. */
export function controlClient(storagePath: string): ControlClient {
  const caller = new Caller(storagePath)
  const calls = Object.entries(ROUTES) as [CallName, Route<unknown, unknown>][]
  return Object.fromEntries(
    calls.map(([name, route]) => [
      name,
      route.input === undefined
        ? (options: CallOptions = {}) => caller.call(route, undefined, options)
        : (input: unknown = {}, options: CallOptions = {}) => caller.call(route, input, options),
    ]),
  ) as unknown as ControlClient
}

class Caller {
  readonly #storagePath: string

  constructor(storagePath: string) {
    this.#storagePath = storagePath
  }

  async call(route: Route<unknown, unknown>, input: unknown, { signal }: CallOptions): Promise<unknown> {
    const { method, path } = route
    const address = await socketAddress(this.#storagePath).catch((cause: unknown) => {
      throw unreachable(this.#storagePath, cause)
    })
    try {
      const isQuery = method === 'GET'
      const target = isQuery ? path + queryOf(input) : path
      const body = isQuery ? undefined : input
      const answer = await send(address.path, method, target, limited(method, signal), body)
      const value = parseJson(answer.text)
      if (answer.status >= 400) throw errorOf(value)
      const parsed = route.answer.safeParse(value)
      if (!parsed.success) throw misunderstood(path)
      return parsed.data
    } catch (error) {
      throw error instanceof ShoalError || signal?.aborted === true
        ? error
        : unreachable(this.#storagePath, error)
    } finally {
      await address.release()
    }
  }
}

/** Why nobody answers on a storage path. */
export function unreachable(storagePath: string, cause: unknown): ShoalError {
  const code = (cause as NodeJS.ErrnoException).code
  const where = `of storage path ${storagePath}`
  if (code === 'EACCES' || code === 'EPERM')
    return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} belongs to another user`, { cause })
  if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR')
    return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} is not running`, { cause })
  return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} did not answer`, { cause })
}

/** With its question mark, or empty. What is undefined is left out. */
function queryOf(input: unknown): string {
  const given = Object.entries((input ?? {}) as Record<string, unknown>).filter(
    ([, value]) => value !== undefined,
  )
  return given.length === 0
    ? ''
    : `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}`
}

function limited(method: string, signal: AbortSignal | undefined): AbortSignal | undefined {
  if (method !== 'GET') return signal
  const timeout = AbortSignal.timeout(QUESTION_TIMEOUT_MS)
  return signal === undefined ? timeout : AbortSignal.any([signal, timeout])
}

/** What came over the socket. */
export interface Answer {
  readonly status: number
  readonly text: string
}

/** One request to a socket, one answer. Rejects with what the socket says. */
export function send(
  socketPath: string,
  method: string,
  path: string,
  signal: AbortSignal | undefined,
  body: unknown,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? '' : JSON.stringify(body)
    const headers = { 'content-length': Buffer.byteLength(text), host: 'shoal' }
    const call = request({ socketPath, method, path, headers, agent: false, signal }, (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > MAX_ANSWER_BYTES) response.destroy(misunderstood(path))
        chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 500, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    call.on('error', reject)
    call.end(text)
  })
}

/** Undefined if it is not JSON. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // What is not JSON fits no schema, and the caller says so.
    return undefined
  }
}

/** What an answer with a status of 400 or more says. */
export function errorOf(value: unknown): ShoalError {
  const parsed = errorReport.safeParse(value)
  if (!parsed.success) return misunderstood('an error')
  const { code, message } = parsed.data.error
  return new ShoalError(isErrorCode(code) ? code : 'INTERNAL', message)
}

function isErrorCode(code: string): code is ErrorCode {
  // The code may be of a newer daemon, or any text at all.
  return typeof (meaningOf(code as ErrorCode) as { exit?: unknown } | undefined)?.exit === 'number'
}

function misunderstood(what: string): ShoalError {
  return new ShoalError(
    'INTERNAL',
    `the daemon's answer to ${what} is not understood: is it of another version?`,
  )
}
