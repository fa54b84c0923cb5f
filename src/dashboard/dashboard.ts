// Runs the dashboard on a terminal until it is quit.
import { createElement } from 'react'
import { type ControlClient, controlClient } from '../control/client.js'
import { toShoalError } from '../core/error.js'
import { redactSecrets } from '../core/secret-redact.js'
import type { Size } from './model/frame.js'
import type { Effect } from './model/keys.js'
import { cut, safe } from './model/span.js'
import { carryOut } from './orders.js'
import { Source } from './source.js'
import { DashboardStore } from './store.js'
import { type Target, targetsOf } from './targets.js'
import type { DashboardOptions } from './text.js'
import { App } from './view/app.js'
import { loadInk, render } from './view/ink.js'
import { Painter } from './view/painter.js'
import { themeOf } from './view/theme.js'

const SECOND_MS = 1000

/** Until it is quit, or `signal` says so. `stdout` is a terminal. */
export async function runDashboard(
  { names, intervalMs, env }: DashboardOptions,
  stdin: NodeJS.ReadStream,
  stdout: NodeJS.WriteStream,
  signal?: AbortSignal,
): Promise<void> {
  const targets = await targetsOf(names, env)
  const clients = new Map<string, ControlClient>(
    targets.flatMap(({ storagePath }: Target): [string, ControlClient][] =>
      storagePath === undefined ? [] : [[storagePath, controlClient(storagePath)]],
    ),
  )
  const source: Source = new Source({
    ...{ targets, intervalMs, followEvents: true },
    clientOf: (storagePath) => clients.get(storagePath)!,
    onChange: () => store.changed(),
  })
  const painter: Painter = new Painter(stdout, () => {
    store.redraw()
    source.setInterest(store.interest())
  })
  const size = (): Size => ({ columns: painter.columns, rows: painter.rows })
  let end = (): void => {}
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const obey = async (effect: Effect): Promise<void> => {
    if (effect.type === 'quit') return end()
    const { order } = effect
    const client = clients.get(order.daemon)
    if (client === undefined) return
    store.notify('working on it', 'accent', 600_000)
    try {
      store.notify(safe(cut(await carryOut(client, order), 200)), 'good')
    } catch (error) {
      store.notify(safe(cut(redactSecrets(toShoalError(error).message), 200)), 'bad', 15_000)
    }
    source.lookAgain(order.daemon)
  }
  const store: DashboardStore = new DashboardStore({
    ...{ size, world: () => source.world() },
    onEffect: (effect) => void obey(effect),
    onInterest: (interest) => source.setInterest(interest),
  })
  // In this mode ink hands over whole frames, and the painter finds what of them is new.
  await loadInk()
  const app = render(createElement(App, { store, theme: themeOf(env) }), {
    ...{ stdin, stdout: painter as unknown as NodeJS.WriteStream, debug: true },
    ...{ exitOnCtrlC: false, patchConsole: false },
  })
  // Whatever ends the process, the terminal is to be of use after it.
  const restore = (): void => painter.close()
  process.once('exit', restore)
  const tick = setInterval(() => store.changed(), SECOND_MS)
  signal?.addEventListener('abort', end, { once: true })
  source.start()
  try {
    await Promise.race([ended, app.waitUntilExit()])
  } finally {
    clearInterval(tick)
    signal?.removeEventListener('abort', end)
    source.close()
    store.close()
    app.unmount()
    process.off('exit', restore)
    painter.close()
  }
}
