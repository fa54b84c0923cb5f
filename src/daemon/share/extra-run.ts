// One order to move extra files to the archive: which ones it takes, and what became of each. What does the work is the
// applier, deepest first, as the index tells it that these are to be undone (local-drift.ts).
import type { RelPath } from '../../core/path.js'
import type { DiskRow } from '../../store/rows.js'
import { stateOf } from './acknowledgements.js'

export interface ArchivedExtras {
  /** `to` is relative to the archive; undefined for a directory, which was empty then. */
  readonly moved: readonly { readonly path: RelPath; readonly to: string | undefined }[]
  readonly left: readonly { readonly path: RelPath; readonly code: string; readonly detail: string }[]
}

/** If nothing moves for so long, the rest waits for something that need not come. */
const PATIENCE_MS = 15_000

export class ExtraRun {
  readonly ended: Promise<ArchivedExtras>
  readonly #open: Map<RelPath, Buffer>
  readonly #moved: ArchivedExtras['moved'][number][] = []
  readonly #left: ArchivedExtras['left'][number][] = []
  #resolve: (result: ArchivedExtras) => void = () => undefined
  #timer: NodeJS.Timeout | undefined

  /** `chosen`: each path with the drifted state that it may be taken in. */
  constructor(chosen: ReadonlyMap<RelPath, Buffer>) {
    this.#open = new Map(chosen)
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#moving()
  }

  /** Whether a path is to go as it is now. One that has come to be another one is left. */
  takes(path: RelPath, row: DiskRow): boolean {
    const state = this.#open.get(path)
    if (state === undefined) return false
    if (state.equals(stateOf(path, row))) return true
    this.noteLeft(path, 'CHANGED', 'it was changed meanwhile')
    return false
  }

  /** A path has gone; true if it was one of these. */
  noteDone(path: RelPath, to: string | undefined): boolean {
    if (!this.#open.delete(path)) return false
    this.#moved.push({ path, to })
    this.#moving()
    return true
  }

  noteLeft(path: RelPath, code: string, detail: string): void {
    if (!this.#open.delete(path)) return
    this.#left.push({ path, code, detail })
    this.#moving()
  }

  /** Leaves all that is still open. */
  end(code: string, detail: string): void {
    for (const path of [...this.#open.keys()]) this.noteLeft(path, code, detail)
  }

  #moving(): void {
    clearTimeout(this.#timer)
    if (this.#open.size === 0) return this.#resolve({ moved: this.#moved, left: this.#left })
    this.#timer = setTimeout(() => this.end('BUSY', 'it is still waited for'), PATIENCE_MS).unref()
  }
}
