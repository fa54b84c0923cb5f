// shoal hooks: what is run after changes, how it went, and what it waits for; and running now what is pending.
import type { ShareReport } from '../control/schema.js'
import type { HookReport } from '../control/schema-hooks.js'
import { ShoalError } from '../core/error.js'
import { connect, type JsonOption } from './daemon-commands.js'
import { EXIT } from './exit.js'
import { formatHook } from './hooks-text.js'
import type { CliIo } from './io.js'
import { hooksMeter } from './progress/meters.js'
import { showDaemon } from './progress/show.js'
import { formatJson, printable } from './text.js'

/** Lists the hooks. */
export async function hooksCommand(io: CliIo, configFile: string, options: JsonOption): Promise<number> {
  const { client } = await connect(configFile)
  print(io, (await client.status()).shares, options)
  return 0
}

/** Runs what is pending, of all hooks or one; 1 if what ran has failed. */
export async function hooksRunCommand(
  io: CliIo,
  configFile: string,
  number: number | undefined,
  options: JsonOption,
): Promise<number> {
  const { client } = await connect(configFile)
  const before = (await client.status()).shares.flatMap(({ hooks }) => hooks)
  if (number !== undefined && !before.some((hook) => hook.number === number))
    throw new ShoalError('NOT_FOUND', `there is no hook ${number}, see shoal hooks`)
  await showDaemon(io, client, 'hooks run', hooksMeter(), () => client.runHooks({ hook: number }))
  const shares = (await client.status()).shares.map((share) => ({
    ...share,
    hooks: share.hooks.filter((hook) => number === undefined || hook.number === number),
  }))
  print(io, shares, options)
  const isFailed = ({ pending, last }: HookReport): boolean =>
    pending > 0 && last !== null && last.result !== 'done'
  return shares.some(({ hooks }) => hooks.some(isFailed)) ? EXIT.no : EXIT.done
}

function print(io: CliIo, shares: readonly ShareReport[], { json }: JsonOption): void {
  const withHooks = shares.filter(({ hooks }) => hooks.length > 0)
  if (json === true)
    return io.out(formatJson(withHooks.flatMap(({ dir, hooks }) => hooks.map((hook) => ({ dir, ...hook })))))
  if (withHooks.length === 0) return io.out('no hooks\n')
  io.out(
    withHooks
      .map(({ dir, hooks }) => `${printable(dir)}\n${hooks.map((hook) => formatHook(hook)).join('')}`)
      .join('\n'),
  )
}
