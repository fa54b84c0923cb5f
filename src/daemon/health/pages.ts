// /health and /ready as pages of the control API.
import { performance } from 'node:perf_hooks'
import type { Page } from '../../control/handler.js'
import type { ControlRequest, ControlResponse } from '../../control/request.js'
import { healthReport, type ReadyShare, readyReport } from './health.js'
import { storageFault } from './storage.js'

export interface HealthOptions {
  readonly storagePath: string
  /** Undefined while there are none, as the daemon starts. */
  readonly shares: () => readonly ReadyShare[] | undefined
}

/** How long the event loop is looked at. */
const LOOK_MS = 10

export function healthPages({ storagePath, shares }: HealthOptions): Page[] {
  return [
    {
      path: '/health',
      summary: 'whether the daemon works: 200, or 503',
      contentType: 'application/json',
      answer: async (): Promise<ControlResponse> => {
        const report = healthReport(await delayMs(), process.uptime() * 1000)
        return { status: report.healthy ? 200 : 503, body: report }
      },
    },
    {
      path: '/ready',
      summary: 'whether all shares were looked through and none is halted: 200, or 503',
      contentType: 'application/json',
      answer: async ({ via }: ControlRequest): Promise<ControlResponse> => {
        const report = readyReport(shares(), await storageFault(storagePath), via !== 'tcp')
        return { status: report.ready ? 200 : 503, body: report }
      },
    },
  ]
}

/** How much later than asked for a timer comes. */
async function delayMs(): Promise<number> {
  const from = performance.now()
  await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
  return Math.max(0, performance.now() - from - LOOK_MS)
}
