// Asks a running supervisor. Promises: every failure is a ShoalError; SUPERVISOR_UNREACHABLE means that none answers.
import type { z } from 'zod'
import { errorOf, parseJson, send } from '../control/client.js'
import { socketAddress } from '../control/socket.js'
import { ShoalError } from '../core/error.js'
import { downAnswer, type SupervisorReport, supervisorReport } from './report.js'

/** It answers from memory. */
const QUESTION_TIMEOUT_MS = 30_000
/** Stopping takes each daemon a few seconds at most, all at once. */
const DOWN_TIMEOUT_MS = 60_000
const POLL_MS = 50

export class SupervisorClient {
  readonly #folder: string
  readonly #what: string

  /** `stateFolder` is where its socket is; `folder` the configurations, for messages. */
  constructor(stateFolder: string, folder: string) {
    this.#folder = stateFolder
    this.#what = folder
  }

  report(): Promise<SupervisorReport> {
    return this.#call('GET', '/v1/ps', supervisorReport, QUESTION_TIMEOUT_MS)
  }

  /**
   * Stops the named daemons, or without names all, and the supervisor with them. Resolves when they have ended, with the
   * supervisor's pid. NOT_FOUND for a name that is none of its own: then nothing is stopped.
   */
  async down(names: readonly string[]): Promise<{ readonly pid: number }> {
    const answer = await this.#call('POST', '/v1/down', downAnswer, DOWN_TIMEOUT_MS, { names })
    if (names.length === 0) await this.#gone()
    return answer
  }

  /** Resolves when it does not answer any more. */
  async #gone(): Promise<void> {
    const deadline = performance.now() + DOWN_TIMEOUT_MS
    while (performance.now() < deadline) {
      const isThere = await this.report().then(
        () => true,
        () => false,
      )
      if (!isThere) return
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
    throw new ShoalError(
      'SUPERVISOR_RUNNING',
      `shoal up of ${this.#what} did not stop within ${DOWN_TIMEOUT_MS} ms`,
    )
  }

  async #call<T>(
    method: string,
    path: string,
    schema: z.ZodType<T>,
    timeoutMs: number,
    body?: unknown,
  ): Promise<T> {
    const address = await socketAddress(this.#folder).catch((cause: unknown) => {
      throw this.#unreachable(cause)
    })
    try {
      const answer = await send(address.path, method, path, AbortSignal.timeout(timeoutMs), body)
      const value = parseJson(answer.text)
      if (answer.status >= 400) throw errorOf(value)
      const parsed = schema.safeParse(value)
      if (parsed.success) return parsed.data
      throw new ShoalError('INTERNAL', 'the answer of shoal up is not understood: is it of another version?')
    } catch (error) {
      throw error instanceof ShoalError ? error : this.#unreachable(error)
    } finally {
      await address.release()
    }
  }

  #unreachable(cause: unknown): ShoalError {
    const code = (cause as NodeJS.ErrnoException).code
    const why =
      code === 'EACCES' || code === 'EPERM'
        ? 'belongs to another user'
        : code === 'ENOENT' || code === 'ECONNREFUSED' || code === 'ENOTDIR'
          ? 'is not running'
          : 'did not answer'
    return new ShoalError('SUPERVISOR_UNREACHABLE', `shoal up of ${this.#what} ${why}`, { cause })
  }
}
