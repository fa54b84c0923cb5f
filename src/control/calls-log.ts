// The call about who wrote what when.
import type { Routes } from './route.js'
import { type LogReport, type LogRequest, logReport, logRequest } from './schema-log.js'

export interface LogCalls {
  /** A part of the log, newest first; `next` leads on. NOT_FOUND, USAGE. */
  log(request?: LogRequest): Promise<LogReport>
}

export const LOG_ROUTES: Routes<LogCalls> = {
  log: {
    ...{ method: 'GET', path: '/v1/log', tag: 'log', input: logRequest, answer: logReport },
    summary: 'who wrote which version when, from the signed feeds',
    takes: '"share", "path", "limit", "since", "after", each if wanted',
  },
}
