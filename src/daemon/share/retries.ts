// What a look could not read is looked at again without anybody touching it, later after each failure: a network file
// system comes back, and descriptors are given back, without an event that tells of it. Nothing waits for these looks; what
// has failed is known as a problem meanwhile. A file that its user may not read stays as it is until something changes.
import { performance } from 'node:perf_hooks'
import { isShortage } from '../../core/shortage.js'
import type { ScannedDirectory } from '../../folder/scan.js'
import type { Directory } from './look.js'

/** The disk, or the way to it, failed: a try may mean to read a large file again. */
const READ_FAULTS: ReadonlySet<string> = new Set([
  'EIO',
  'ESTALE',
  'ETIMEDOUT',
  'EREMOTEIO',
  'EHOSTDOWN',
  'UNREADABLE',
])
const FAULT_MS = 30_000
const LONGEST_FAULT_MS = 600_000
/** The system had nothing left to look with. */
const SHORTAGE_MS = 1000
const LONGEST_SHORTAGE_MS = 15_000

interface Retry {
  readonly directory: Directory
  readonly isListing: boolean
  readonly waitMs: number
  /** Infinity: under way. */
  dueMs: number
}

export interface Again {
  /** Something in them could not be read. */
  readonly directories: readonly Directory[]
  /** They could not be listed: all below them is to be looked at. */
  readonly unlisted: readonly Directory[]
}

export class Retries {
  readonly #again: (what: Again) => void
  readonly #onShortage: (code: string) => void
  readonly #retries = new Map<string, Retry>()
  #timer: NodeJS.Timeout | undefined
  #timerMs = Number.POSITIVE_INFINITY

  constructor(again: (what: Again) => void, onShortage: (code: string) => void) {
    this.#again = again
    this.#onShortage = onShortage
  }

  /** A directory could not be listed. */
  unlisted(directory: Directory, code: string): void {
    if (isShortage(code)) this.#onShortage(code)
    this.#failed(`d${directory}`, directory, true, code)
  }

  /** Something in a directory could not be read, known by a name of its own. */
  unread(key: string, directory: Directory, code: string): void {
    if (isShortage(code)) this.#onShortage(code)
    this.#failed(`f${key}`, directory, false, code)
  }

  /** What a listing of it lacked could not be confirmed to be gone: it is there again, or nobody could tell. */
  untold(directory: Directory): void {
    this.#failed(`m${directory}`, directory, false, 'EMFILE')
  }

  listed({ path, faults }: Pick<ScannedDirectory, 'path' | 'faults'>): void {
    this.#retries.delete(`d${path}`)
    const isWhole = !faults.some(({ code }) => code === 'UNREADABLE')
    if (isWhole) this.read(`${path}/`)
    else this.unread(`${path}/`, path, 'UNREADABLE')
  }

  read(key: string): void {
    this.#retries.delete(`f${key}`)
  }

  /** All is looked at anew. */
  clear(): void {
    this.#retries.clear()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timerMs = Number.NEGATIVE_INFINITY
  }

  #failed(key: string, directory: Directory, isListing: boolean, code: string): void {
    const isShort = isShortage(code)
    if (!isShort && !READ_FAULTS.has(code)) return
    const first = isShort ? SHORTAGE_MS : FAULT_MS
    const before = this.#retries.get(key)?.waitMs
    const longest = isShort ? LONGEST_SHORTAGE_MS : LONGEST_FAULT_MS
    const waitMs = Math.min(longest, Math.max(first, 2 * (before ?? 0)))
    const dueMs = performance.now() + waitMs
    this.#retries.set(key, { directory, isListing, waitMs, dueMs })
    this.#arm(dueMs)
  }

  #arm(dueMs: number): void {
    if (dueMs >= this.#timerMs) return
    clearTimeout(this.#timer)
    this.#timerMs = dueMs
    this.#timer = setTimeout(() => this.#fire(), dueMs - performance.now()).unref()
  }

  #fire(): void {
    this.#timerMs = Number.POSITIVE_INFINITY
    const now = performance.now() + 1
    const directories = new Set<Directory>()
    const unlisted = new Set<Directory>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const retry of this.#retries.values()) {
      if (retry.dueMs > now) {
        nextMs = Math.min(nextMs, retry.dueMs)
        continue
      }
      retry.dueMs = Number.POSITIVE_INFINITY
      if (retry.isListing) unlisted.add(retry.directory)
      else directories.add(retry.directory)
    }
    if (nextMs < Number.POSITIVE_INFINITY) this.#arm(nextMs)
    if (directories.size > 0 || unlisted.size > 0)
      this.#again({ directories: [...directories], unlisted: [...unlisted] })
  }
}
