// The dashboard without a terminal: one look at everything, as text. Loads no ink.
import { controlClient } from '../control/client.js'
import { redactSecrets } from '../core/secret-redact.js'
import { onceText } from './once.js'
import { Source } from './source.js'
import { targetsOf } from './targets.js'

export interface DashboardOptions {
  /** Configurations and folders of them; none: those of this machine. */
  readonly names: readonly string[]
  /** Milliseconds between two looks. */
  readonly intervalMs: number
  readonly env: Readonly<Record<string, string | undefined>>
}

/** With line ends. */
export async function dashboardOnce({ names, intervalMs, env }: DashboardOptions): Promise<string> {
  const targets = await targetsOf(names, env)
  const source = new Source({ targets, intervalMs, clientOf: controlClient, onChange: () => {} })
  const world = await source.once({ conflicts: true, drift: true, map: undefined })
  source.close()
  return redactSecrets(onceText(world))
}
