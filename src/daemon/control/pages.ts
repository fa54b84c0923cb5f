// What the daemon serves beside the calls of the control API: answers that are no JSON of a schema.
import type { ControlBackend } from '../../control/calls.js'
import type { Page } from '../../control/handler.js'
import { healthPages } from '../health/pages.js'
import { metricsPage } from '../metrics/page.js'
import type { Share } from '../share/share.js'

export interface PageSources {
  readonly control: ControlBackend
  readonly storagePath: string
  /** Undefined while the daemon starts. */
  readonly shares: () => readonly Share[] | undefined
}

export function controlPages({ control, storagePath, shares }: PageSources): readonly Page[] {
  return [...healthPages({ storagePath, shares }), metricsPage({ control, shares: () => shares() ?? [] })]
}
