// The calls about what is in a share: its directories, and the versions of a path.
import type { Routes } from './route.js'
import {
  type EntriesReport,
  type EntriesRequest,
  entriesReport,
  entriesRequest,
  type HistoryReport,
  type HistoryRequest,
  historyReport,
  historyRequest,
} from './schema-entries.js'

export interface EntryCalls {
  /** What is in a directory. NOT_FOUND: no such share, or no such directory in it. */
  entries(request: EntriesRequest): Promise<EntriesReport>
  /** The versions of a path that are known here, newest first. NOT_FOUND: no such share, or nothing is known of it. */
  history(request: HistoryRequest): Promise<HistoryReport>
}

export const ENTRY_ROUTES: Routes<EntryCalls> = {
  entries: {
    ...{ method: 'GET', path: '/v1/entries', tag: 'entries', input: entriesRequest, answer: entriesReport },
    summary: 'what is in a directory of a share, and how each name stands',
    takes: 'share=PLACE, and path=DIRECTORY, after=NAME, limit=1 to 1000 if wanted',
  },
  history: {
    ...{ method: 'GET', path: '/v1/history', tag: 'entries', input: historyRequest, answer: historyReport },
    summary: 'the versions of a path that are known here, newest first',
    takes: 'share=PLACE, path=PATH, and limit=1 to 200 if wanted',
  },
}
