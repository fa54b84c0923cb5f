// The supervisor's socket as one function from request to response: GET /v1/ps, POST /v1/down, POST /v1/reload.
import { type ControlRequest, type ControlResponse, errorResponse } from '../control/request.js'
import { ShoalError, toShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import { downRequest, type SupervisorReport } from './report.js'

/** What a supervisor answers with. */
export interface SupervisorBackend {
  report(): SupervisorReport
  down(names: readonly string[]): Promise<void>
  reload(): Promise<void>
}

/** Never rejects. */
export function controlHandlerOf(
  backend: SupervisorBackend,
  log: Log,
): (request: ControlRequest) => Promise<ControlResponse> {
  return async ({ method, path, body }) => {
    try {
      return { status: 200, body: await answer(backend, `${method} ${path}`, body ?? '') }
    } catch (thrown) {
      const error = toShoalError(thrown)
      if (error.code === 'INTERNAL')
        log.error({ err: thrown, method, path }, 'a call to the supervisor failed')
      return errorResponse(error)
    }
  }
}

async function answer(backend: SupervisorBackend, call: string, body: string): Promise<unknown> {
  switch (call) {
    case 'GET /v1/ps':
      return backend.report()
    case 'POST /v1/down':
      await backend.down(namesOf(body))
      return { pid: process.pid }
    case 'POST /v1/reload':
      await backend.reload()
      return {}
    default:
      throw new ShoalError('NOT_FOUND', 'there is no such call to a supervisor')
  }
}

function namesOf(body: string): readonly string[] {
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch (cause) {
    throw new ShoalError('USAGE', 'the body of the request is not JSON', { cause })
  }
  const parsed = downRequest.safeParse(value)
  if (!parsed.success) throw new ShoalError('USAGE', 'the body of the request is not {"names": [names]}')
  return parsed.data.names
}
