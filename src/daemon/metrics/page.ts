// GET /metrics. What makes the answer is loaded when it is asked for first: a daemon that nobody scrapes does not carry it
// (docs/decisions/0019, 0034).
import type { ControlBackend } from '../../control/calls.js'
import type { Page } from '../../control/handler.js'
import type { AnyShare } from '../any-share.js'
import type { ShareMeters } from './samples.js'

export interface MetricsOptions {
  readonly control: Pick<ControlBackend, 'status' | 'live'>
  readonly shares: () => readonly AnyShare[]
}

export function metricsPage({ control, shares }: MetricsOptions): Page {
  let loaded: ReturnType<typeof load> | undefined
  return {
    path: '/metrics',
    summary: 'what is measured, for Prometheus',
    contentType: 'text/plain',
    async answer() {
      loaded ??= load().catch((thrown: unknown) => {
        loaded = undefined
        throw thrown
      })
      const { meter, expose, samplesOf } = await loaded
      const [status, live] = await Promise.all([control.status(), control.live()])
      const meters = new Map(shares().map((share) => [share.dir, metersOf(share)]))
      const process = meter.read()
      const { text, contentType } = await expose(samplesOf({ status, live, meters, process }))
      return { status: 200, text, contentType }
    },
  }
}

async function load() {
  const [{ expose }, { samplesOf }, { ProcessMeter }] = await Promise.all([
    import('./exposition.js'),
    import('./samples.js'),
    import('./process-facts.js'),
  ])
  return { expose, samplesOf, meter: new ProcessMeter() }
}

function metersOf({ observer, exchange }: AnyShare): ShareMeters {
  const { downloadedPieces, uploadedPieces } = exchange.stats()
  return { instruments: observer.instruments, receivedPieces: downloadedPieces, sentPieces: uploadedPieces }
}
