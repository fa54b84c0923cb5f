// Calls the control API of the daemon that runs on a storage path. Promises: every failure is a ShoalError; the daemon's
// own errors come out with their code; DAEMON_UNREACHABLE means that nobody answered. Answers are checked before use.
import { request } from 'node:http'
import type { z } from 'zod'
import { type ErrorCode, meaningOf, ShoalError } from '../core/error.js'
import {
  type ConflictReport,
  conflictReports,
  errorReport,
  type InviteReport,
  type InviteRequest,
  inviteReports,
  type NewInviteReport,
  newInviteReport,
  nothing,
  type PeerReport,
  peerReports,
  type StatusReport,
  statusReport,
} from './schema.js'
import {
  type AcknowledgeRequest,
  type ArchiveExtraReport,
  type ArchiveExtraRequest,
  archiveExtraReport,
  type DriftPath,
  type DriftReport,
  driftReport,
  driftReports,
  type MemberDriftReport,
  memberDriftReports,
} from './schema-drift.js'
import {
  type NewReleaseReport,
  newReleaseReport,
  type ReleaseRequest,
  type ReleasesReport,
  type RemoveReleaseRequest,
  type RollbackRequest,
  releasesReports,
  type SwitchReport,
  type SwitchRequest,
  switchReport,
} from './schema-releases.js'
import { socketAddress } from './socket.js'

/** A tree of a million files with problems is far below this. */
const MAX_ANSWER_BYTES = 256 << 20

/** A question is answered from memory; scans and the like may take as long as they take. */
const QUESTION_TIMEOUT_MS = 60_000

/** Options of every call: `signal` gives up waiting. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export class ControlClient {
  readonly #storagePath: string

  constructor(storagePath: string) {
    this.#storagePath = storagePath
  }

  status(options: CallOptions = {}): Promise<StatusReport> {
    return this.#call('GET', '/v1/status', statusReport, options)
  }

  peers(options: CallOptions = {}): Promise<readonly PeerReport[]> {
    return this.#call('GET', '/v1/peers', peerReports, options)
  }

  conflicts(options: CallOptions = {}): Promise<readonly ConflictReport[]> {
    return this.#call('GET', '/v1/conflicts', conflictReports, options)
  }

  drift(options: CallOptions = {}): Promise<readonly DriftReport[]> {
    return this.#call('GET', '/v1/drift', driftReports, options)
  }

  /** What all members have reported of their own drift. */
  driftOfAll(options: CallOptions = {}): Promise<readonly MemberDriftReport[]> {
    return this.#call('GET', '/v1/drift/all', memberDriftReports, options)
  }

  /** Says that a drift is meant, until the time is up or it is another one. NOT_FOUND, USAGE. */
  acknowledgeDrift(request: AcknowledgeRequest, options: CallOptions = {}): Promise<DriftReport> {
    return this.#call('POST', '/v1/drift/acknowledge', driftReport, options, request)
  }

  /** Takes an acknowledgement back. NOT_FOUND. */
  async withdrawDrift(request: DriftPath, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/drift/withdraw', nothing, options, request)
  }

  /** Moves extra files to the archive; says what became of each. NOT_FOUND, SHARE_HALTED, USAGE. */
  archiveExtra(request: ArchiveExtraRequest = {}, options: CallOptions = {}): Promise<ArchiveExtraReport> {
    return this.#call('POST', '/v1/drift/archive-extra', archiveExtraReport, options, request)
  }

  /** Resolves when a full scan of all shares is done and announced. */
  async scan(options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/scan', nothing, options)
  }

  /** Resolves when all that changed on disk before the call is announced. */
  async settle(options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/settle', nothing, options)
  }

  /** Lifts the halt of one share, by its place in the configuration, or of all (A5). */
  async approve(share?: number, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/approve', nothing, options, { share })
  }

  /** Drops a silent member, by its full device id, until it is heard of again. USAGE, NOT_FOUND. */
  async forget(device: string, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/forget', nothing, options, { device })
  }

  /** Runs what is pending of one hook, or of all; resolves when that is done or has to wait. NOT_FOUND. */
  async runHooks(hook?: number, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/hooks/run', nothing, options, { hook })
  }

  /** The invites that have not expired, oldest first. */
  invites(options: CallOptions = {}): Promise<readonly InviteReport[]> {
    return this.#call('GET', '/v1/invites', inviteReports, options)
  }

  /** Makes an invite; the answer alone holds its code. NOT_FOUND, SECRET_GRADE, USAGE. */
  invite(request: InviteRequest, options: CallOptions = {}): Promise<NewInviteReport> {
    return this.#call('POST', '/v1/invites', newInviteReport, options, request)
  }

  /** Ends an open invite, or forgets a closed one. NOT_FOUND. */
  async revokeInvite(id: string, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/invites/revoke', nothing, options, { id })
  }

  /** The releases of every share. */
  releases(options: CallOptions = {}): Promise<readonly ReleasesReport[]> {
    return this.#call('GET', '/v1/releases', releasesReports, options)
  }

  /** Makes a release; resolves when it is published. SECRET_GRADE, USAGE, EXISTS, RELEASE_UNFIT, SHARE_HALTED. */
  release(request: ReleaseRequest, options: CallOptions = {}): Promise<NewReleaseReport> {
    return this.#call('POST', '/v1/releases', newReleaseReport, options, request)
  }

  /** Has nodes show a release; resolves when that is published. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  switchRelease(request: SwitchRequest, options: CallOptions = {}): Promise<SwitchReport> {
    return this.#call('POST', '/v1/releases/switch', switchReport, options, request)
  }

  /** Has them show what they showed before. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  rollbackRelease(request: RollbackRequest, options: CallOptions = {}): Promise<SwitchReport> {
    return this.#call('POST', '/v1/releases/rollback', switchReport, options, request)
  }

  /** Takes a release away. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  async removeRelease(request: RemoveReleaseRequest, options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/releases/remove', nothing, options, request)
  }

  /** Asks the daemon to stop; resolves when it has heard. */
  async stop(options: CallOptions = {}): Promise<void> {
    await this.#call('POST', '/v1/stop', nothing, options)
  }

  async #call<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    { signal }: CallOptions,
    body?: unknown,
  ): Promise<T> {
    const address = await socketAddress(this.#storagePath).catch((cause: unknown) => {
      throw this.#unreachable(cause)
    })
    try {
      const answer = await send(address.path, method, path, limited(method, signal), body)
      const value = parseJson(answer.text)
      if (answer.status >= 400) throw errorOf(value)
      const parsed = schema.safeParse(value)
      if (!parsed.success) throw misunderstood(path)
      return parsed.data
    } catch (error) {
      throw error instanceof ShoalError || signal?.aborted === true ? error : this.#unreachable(error)
    } finally {
      await address.release()
    }
  }

  #unreachable(cause: unknown): ShoalError {
    const code = (cause as NodeJS.ErrnoException).code
    const where = `of storage path ${this.#storagePath}`
    if (code === 'EACCES' || code === 'EPERM')
      return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} belongs to another user`, { cause })
    if (code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR')
      return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} is not running`, { cause })
    return new ShoalError('DAEMON_UNREACHABLE', `the daemon ${where} did not answer`, { cause })
  }
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
