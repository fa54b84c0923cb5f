// The calls about programs that are run after changes.
import { nothing, type Routes } from './route.js'
import { type RunHooksRequest, runHooksRequest } from './schema-hooks.js'

export interface HookCalls {
  /** Runs what is pending of one hook, or of all; resolves when that is done or has to wait. NOT_FOUND: no such hook. */
  runHooks(request?: RunHooksRequest): Promise<void>
}

export const HOOK_ROUTES: Routes<HookCalls> = {
  runHooks: {
    ...{ method: 'POST', path: '/v1/hooks/run', tag: 'hooks', input: runHooksRequest, answer: nothing },
    summary: 'run what is pending of one hook, or of all',
    takes: '{"hook": its number, from 1}',
  },
}
