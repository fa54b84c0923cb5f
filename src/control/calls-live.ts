// The calls about work under way: asked again and again, so they cost nothing per file.
import type { Routes } from './route.js'
import {
  type AvailabilityReport,
  type AvailabilityRequest,
  availabilityReport,
  availabilityRequest,
  type LiveReport,
  liveReport,
} from './schema-live.js'

export interface LiveCalls {
  /** May be asked ten times a second. */
  live(): Promise<LiveReport>
  /** How many copies of each piece there are. Costs something per piece: once a second is often. NOT_FOUND. */
  availability(request: AvailabilityRequest): Promise<AvailabilityReport>
}

export const LIVE_ROUTES: Routes<LiveCalls> = {
  live: {
    ...{ method: 'GET', path: '/v1/live', tag: 'live', input: undefined, answer: liveReport },
    summary: 'rates, peers and files being fetched',
  },
  availability: {
    ...{ method: 'GET', path: '/v1/availability', tag: 'live' },
    ...{ input: availabilityRequest, answer: availabilityReport },
    summary: 'how many copies of each piece there are among who is connected',
    takes: 'share=PLACE, width=BUCKETS (1 to 1000)',
  },
}
