// What the daemon serves beside the calls of the control API: answers that are no JSON of a schema.
import type { ControlBackend } from '../../control/calls.js'
import type { Page } from '../../control/handler.js'
import type { AnyShare } from '../any-share.js'
import type { EventBook } from '../events.js'
import { healthPages } from '../health/pages.js'
import { metricsPage } from '../metrics/page.js'
import { eventsPage } from './events-page.js'

export interface PageSources {
  readonly control: Pick<ControlBackend, 'status' | 'live'>
  readonly events: EventBook
  readonly storagePath: string
  /** Undefined while the daemon starts. */
  readonly shares: () => readonly AnyShare[] | undefined
}

export function controlPages({ control, events, storagePath, shares }: PageSources): readonly Page[] {
  return [
    eventsPage(events),
    ...healthPages({ storagePath, shares }),
    metricsPage({ control, shares: () => shares() ?? [] }),
  ]
}
