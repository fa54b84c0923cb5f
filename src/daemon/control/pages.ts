// What the daemon serves beside the calls of the control API: answers that are no JSON of a schema.
import type { Page } from '../../control/handler.js'
import type { EventBook } from '../events.js'
import { eventsPage } from './events-page.js'

export interface PageSources {
  readonly events: EventBook
}

export function controlPages({ events }: PageSources): readonly Page[] {
  return [eventsPage(events)]
}
