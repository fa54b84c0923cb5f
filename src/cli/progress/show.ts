// Progress of the commands: of work in this process, and of work that a daemon does, which is asked how far it is.
import type { ControlClient } from '../../control/client.js'
import type { StatusReport } from '../../control/schema.js'
import type { CliIo } from '../io.js'
import type { Measure } from './measure.js'
import type { Progress } from './screen.js'

const NOWHERE: Progress = { update: () => {} }
/** Until a daemon is first asked, and from then on: what takes a moment asks nothing. */
const FIRST_LOOK_MS = 500
const LOOK_EVERY_MS = 500

/** Shows something under way until it has settled. */
export function showProgress<T>(
  io: CliIo,
  label: string,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  return io.progress === undefined ? work(NOWHERE) : io.progress.show(label, work)
}

/** Does something for each of a list, one after the other, and shows how many are done. */
export function showEach<T, R>(
  io: CliIo,
  label: string,
  noun: string,
  items: readonly T[],
  work: (item: T, at: number) => Promise<R>,
): Promise<R[]> {
  return showProgress(io, label, async (progress) => {
    const results: R[] = []
    for (const [at, item] of items.entries()) {
      progress.update({ done: at, total: items.length, unit: noun })
      results.push(await work(item, at))
    }
    return results
  })
}

/**
 * Shows what a daemon does for this command: asks for its status twice a second while the work lasts. `meter` makes a
 * measure of it, or undefined if it tells nothing.
 */
export function showDaemon<T>(
  io: CliIo,
  client: Pick<ControlClient, 'status'>,
  label: string,
  meter: (report: StatusReport) => Measure | undefined,
  work: () => Promise<T>,
): Promise<T> {
  if (io.progress?.isShown !== true) return work()
  return showProgress(io, label, async (progress) => {
    const done = new AbortController()
    const looking = lookOn(client, done.signal, (report) => {
      const measure = meter(report)
      if (measure !== undefined) progress.update(measure)
    })
    try {
      return await work()
    } finally {
      done.abort()
      await looking
    }
  })
}

async function lookOn(
  client: Pick<ControlClient, 'status'>,
  signal: AbortSignal,
  onReport: (report: StatusReport) => void,
): Promise<void> {
  for (let waitMs = FIRST_LOOK_MS; !signal.aborted; waitMs = LOOK_EVERY_MS) {
    await pause(waitMs, signal)
    if (signal.aborted) return
    try {
      onReport(await client.status({ signal }))
    } catch {
      // Not there yet, or gone: what the command itself asks says so.
    }
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end)
  })
}
