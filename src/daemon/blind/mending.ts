// What of a blind share's vault was damaged or went, until it is back: a problem as long, and counted for whoever wants to know
// how the disk does. What nothing needs any more does not come back, and is no problem.
import type { Damaged } from '../../vault/stored.js'
import type { ProblemBook } from '../share/problems.js'

export interface MendingOptions {
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  /** Whether it is to come back and has not yet. */
  readonly isAwaited: (damaged: Damaged) => boolean
  /** So many frames more were found damaged, so many are back. */
  readonly count: (found: number, repaired: number) => void
}

const DETAIL = 'parts of the vault were damaged or are gone; they are fetched again'

export class Mending {
  readonly #o: MendingOptions
  readonly #open = new Map<string, Damaged>()

  constructor(options: MendingOptions) {
    this.#o = options
  }

  /** How much is not back. */
  get open(): number {
    return this.#open.size
  }

  /** These do not hold; what is to come back is known as awaited by now. */
  found(list: readonly Damaged[]): void {
    const { problems, isAwaited, count } = this.#o
    for (const damaged of list) if (isAwaited(damaged)) this.#open.set(nameOf(damaged), damaged)
    count(list.length, 0)
    if (this.#open.size > 0) problems.set('vault', 'damaged', 'VAULT_DAMAGED', DETAIL)
  }

  /** These pieces are here. */
  stored(ids: Iterable<Buffer>): void {
    if (this.#open.size === 0) return
    let back = 0
    for (const id of ids) if (this.#open.delete(nameOf({ type: 'piece', id }))) back++
    this.#noteBack(back)
  }

  /** Looks at all that is not back: of feeds, and what nothing needs any more. */
  look(): void {
    let back = 0
    for (const [name, damaged] of this.#open)
      if (!this.#o.isAwaited(damaged)) {
        this.#open.delete(name)
        back++
      }
    this.#noteBack(back)
  }

  #noteBack(back: number): void {
    if (back === 0) return
    this.#o.count(0, back)
    if (this.#open.size === 0) this.#o.problems.clear('vault', 'damaged')
  }
}

function nameOf(damaged: Damaged): string {
  switch (damaged.type) {
    case 'piece':
      return `piece ${damaged.id.toString('hex')}`
    case 'block':
      return `block ${damaged.writer} ${damaged.index}`
    case 'leaves':
      return `leaves ${damaged.writer} ${damaged.index}`
    case 'head':
      return `head ${damaged.writer}`
    case 'certificate':
      return `certificate ${damaged.digest.toString('hex')}`
  }
}
