// The control API as one function from request to response, over a backend that the daemon provides. It knows nothing of
// sockets. Promises: it never rejects; every failure is an ErrorReport whose message holds no secret.
import type { z } from 'zod'
import { ShoalError, toShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import { type CallName, type ControlBackend, ROUTES } from './calls.js'
import { openApiDocument } from './openapi.js'
import { type ControlRequest, type ControlResponse, errorResponse } from './request.js'
import type { Route } from './route.js'

/** What is served beside the calls: answers that are no JSON of a schema. May reject, as a call may. */
export interface Page {
  /** Always GET. */
  readonly path: string
  /** A line for people. */
  readonly summary: string
  /** Of what is answered, for the OpenAPI document. */
  readonly contentType: string
  answer(request: ControlRequest): Promise<ControlResponse>
}

type AnyRoute = Route<unknown, unknown>

/** Answers requests from the backend and the pages. */
export function controlHandler(
  backend: ControlBackend,
  log: Log,
  pages: readonly Page[] = [],
): (request: ControlRequest) => Promise<ControlResponse> {
  const calls = new Map<string, { readonly name: CallName; readonly route: AnyRoute }>()
  for (const [name, route] of Object.entries(ROUTES) as [CallName, AnyRoute][])
    calls.set(`${route.method} ${route.path}`, { name, route })
  const openApi: Page = {
    path: '/openapi.json',
    summary: 'this API as an OpenAPI document',
    contentType: 'application/json',
    answer: async () => ({ status: 200, body: openApiDocument([...pages, openApi]) }),
  }
  const pagesByPath = new Map([...pages, openApi].map((page) => [page.path, page]))
  return async (request) => {
    const { method, path } = request
    try {
      const page = method === 'GET' ? pagesByPath.get(path) : undefined
      if (page !== undefined) return await page.answer(request)
      const call = calls.get(`${method} ${path}`)
      if (call === undefined) throw new ShoalError('NOT_FOUND', 'there is no such call in the control API')
      if (call.route.access === 'socket' && request.via === 'tcp')
        throw new ShoalError('FORBIDDEN', `${method} ${path} is answered on the socket in storage_path only`)
      const run = backend[call.name] as (input?: unknown) => Promise<unknown>
      return { status: 200, body: (await run.call(backend, inputOf(call.route, request))) ?? {} }
    } catch (thrown) {
      const error = toShoalError(thrown)
      if (error.code === 'INTERNAL') log.error({ err: thrown, method, path }, 'a control call failed')
      return errorResponse(error)
    }
  }
}

/** The checked input of a request. USAGE. */
function inputOf({ method, input, takes }: AnyRoute, { query = '', body = '' }: ControlRequest): unknown {
  const schema = input as z.ZodType<unknown> | undefined
  if (schema === undefined) return undefined
  const isQuery = method === 'GET'
  const value = isQuery ? Object.fromEntries(new URLSearchParams(query)) : jsonOf(body)
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const what = isQuery ? 'the query' : 'the body'
  throw new ShoalError('USAGE', `${what} of the request is not ${takes ?? 'understood'}`)
}

function jsonOf(body: string): unknown {
  try {
    return body === '' ? {} : JSON.parse(body)
  } catch (cause) {
    throw new ShoalError('USAGE', 'the body of the request is not JSON', { cause })
  }
}
