// Goes through the wanted paths in key order (every directory before what lies in it), again and again as long as there is
// reason to. Holds a few hundred of them at a time, whatever the backlog.
import type { RelPath } from '../../core/path.js'
import type { ShareIndex } from '../../store/share-index.js'

const CHUNK_PATHS = 512

export class WantedCursor {
  readonly #index: Pick<ShareIndex, 'wantedAfter'>
  /** Taken from the end, so in reverse. */
  #chunk: RelPath[] = []
  #at: RelPath | undefined
  #isDue = true
  #isAtEnd = false

  constructor(index: Pick<ShareIndex, 'wantedAfter'>) {
    this.#index = index
  }

  /** Whether a pass is on its way or due. */
  get isBusy(): boolean {
    return this.#isDue || this.#chunk.length > 0
  }

  /** Once the pass on its way has ended, another one begins. */
  startOver(): void {
    this.#isDue = true
  }

  /** The next path; undefined when the pass has ended and none is due. */
  next(): RelPath | undefined {
    if (this.#chunk.length === 0) {
      if (this.#isAtEnd && !this.#isDue) return undefined
      if (this.#isAtEnd) {
        this.#at = undefined
        this.#isAtEnd = false
        this.#isDue = false
      }
      this.#chunk = this.#index.wantedAfter(this.#at, CHUNK_PATHS).reverse()
      this.#at = this.#chunk[0] ?? this.#at
      if (this.#chunk.length === 0) {
        this.#isAtEnd = true
        return this.#isDue ? this.next() : undefined
      }
    }
    return this.#chunk.pop()
  }
}
