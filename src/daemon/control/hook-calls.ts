// The calls about programs that are run after changes.
import type { HookCalls } from '../../control/calls-hooks.js'
import type { RunHooksRequest } from '../../control/schema-hooks.js'
import { ShoalError } from '../../core/error.js'
import { type DaemonView, readableOf } from './view.js'

export function hookCalls(view: DaemonView): HookCalls {
  return {
    async runHooks({ hook }: RunHooksRequest = {}): Promise<void> {
      const shares = await readableOf(view)
      const isKnown = shares.some((share) => share.hooks.views().some(({ number }) => number === hook))
      if (hook !== undefined && !isKnown) throw new ShoalError('NOT_FOUND', `there is no hook ${hook}`)
      await Promise.all(shares.map((share) => share.hooks.ask(hook)))
    },
  }
}
