// get_files: what is in a folder of a share. BitTorrent Sync counted pieces; a piece of Shoal's has no fixed size, so that
// the numbers here are those of pieces of PIECE_BYTES.
import { ShoalError } from '../../core/error.js'
import type { EntryReport } from '../schema-entries.js'
import { ERRORS, LegacyError } from './answer.js'
import type { LegacyHost } from './host.js'

/** As BitTorrent Sync's. */
const PIECE_BYTES = 4 << 20
/** Of one answer; a request for more is an error rather than half an answer. */
const MAX_FILES = 200_000

export interface LegacyFile {
  readonly name: string
  readonly state: 'created'
  readonly type: 'file' | 'folder'
  readonly size?: number
  readonly have_pieces?: number
  readonly total_pieces?: number
}

/** What is in a directory of the share at a place, '' for the folder itself. */
export async function filesIn(host: LegacyHost, share: number, path: string): Promise<LegacyFile[]> {
  const dir = path.replaceAll(/^(?:\.?\/)+|\/+$/g, '')
  const done = await doneBytes(host, share)
  const files: LegacyFile[] = []
  let after: string | undefined
  do {
    const page = await host.backend
      .entries({ share, ...(dir === '' ? {} : { path: dir }), ...(after === undefined ? {} : { after }) })
      .catch(notThere)
    // What the rules leave out is no part of the share.
    files.push(...page.entries.filter(({ state }) => state !== 'ignored').map((entry) => fileOf(entry, done)))
    if (files.length > MAX_FILES)
      throw new LegacyError(ERRORS.FAILED, `there are more than ${MAX_FILES} names in that folder`)
    after = page.next ?? undefined
  } while (after !== undefined)
  return files
}

function fileOf({ path, type, size, state }: EntryReport, done: ReadonlyMap<string, number>): LegacyFile {
  const name = path.slice(path.lastIndexOf('/') + 1)
  if (type === 'directory') return { name, state: 'created', type: 'folder' }
  const total = Math.max(1, Math.ceil(size / PIECE_BYTES))
  const here = state === 'wanted' ? Math.floor((done.get(path) ?? 0) / PIECE_BYTES) : total
  return {
    ...{ name, state: 'created', type: 'file', size },
    ...{ have_pieces: Math.min(here, total - (state === 'wanted' ? 1 : 0)), total_pieces: total },
  }
}

/** How much is here of files that are being fetched. */
async function doneBytes(host: LegacyHost, share: number): Promise<ReadonlyMap<string, number>> {
  const { shares } = await host.backend.live()
  return new Map(shares[share]?.transfers.map(({ path, doneBytes: bytes }) => [path, bytes]))
}

function notThere(thrown: unknown): never {
  const isAbout = thrown instanceof ShoalError && ['NOT_FOUND', 'USAGE'].includes(thrown.code)
  if (isAbout) throw new LegacyError(ERRORS.FOLDER, 'there is no such folder in the share')
  throw thrown
}
