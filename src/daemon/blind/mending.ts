// What of a blind share's vault was damaged or went, until it is back: a problem as long, and counted for whoever wants to know
// how the disk does. What nothing needs any more does not come back, and is no problem. What an earlier run found, and did not get
// back, is a problem until nothing is missing: which parts those are is not kept.
import type { Damaged } from '../../vault/stored.js'
import type { ShareMeta } from '../share/meta.js'
import type { ProblemBook } from '../share/problems.js'

export interface MendingOptions {
  readonly problems: Pick<ProblemBook, 'set' | 'clear'>
  /** Whether it is to come back and has not yet. */
  readonly isAwaited: (damaged: Damaged) => boolean
  /** So many frames more were found damaged, so many are back. */
  readonly count: (found: number, repaired: number) => void
  readonly meta: Pick<ShareMeta, 'hasLosses'>
  /** Whether any record of the share is known of. */
  readonly knowsRecords: () => boolean
  /** Whether nothing that is known of is missing. */
  readonly isWhole: () => boolean
}

const DETAIL = 'parts of the vault were damaged or are gone; they are fetched again'
const ALL_LOST =
  'the vault was there before and is empty, and nothing here tells what is in the share: what it held, if anything, is lost; it is fetched from whoever has it'

export class Mending {
  readonly #o: MendingOptions
  readonly #open = new Map<string, Damaged>()
  /** Something was lost, and nobody knows what. */
  #isUnsure = false

  constructor(options: MendingOptions) {
    this.#o = options
  }

  /** Goes on with what an earlier run has left; once all is known that the vault and the index tell. */
  resume(): void {
    if (this.#o.meta.hasLosses) this.#lose()
  }

  /** The vault holds nothing, and the index cannot tell what it held. */
  lostAll(): void {
    this.#o.meta.hasLosses = true
    this.#lose()
  }

  /** Whether something was lost, and nothing is known that could be fetched in its stead. */
  get isAllLost(): boolean {
    return this.#isUnsure && !this.#o.knowsRecords()
  }

  /** How much is not back. */
  get open(): number {
    return this.#open.size
  }

  /** These do not hold; what is to come back is known as awaited by now. */
  found(list: readonly Damaged[]): void {
    const { problems, isAwaited, count, meta } = this.#o
    for (const damaged of list) if (isAwaited(damaged)) this.#open.set(nameOf(damaged), damaged)
    count(list.length, 0)
    if (this.#open.size === 0) return
    meta.hasLosses = true
    problems.set('vault', 'damaged', 'VAULT_DAMAGED', DETAIL)
  }

  /** These pieces are here. */
  stored(ids: Iterable<Buffer>): void {
    if (this.#open.size === 0 && !this.#isUnsure) return
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

  #lose(): void {
    this.#isUnsure = true
    const detail = this.#o.knowsRecords() ? DETAIL : ALL_LOST
    this.#o.problems.set('vault', 'damaged', 'VAULT_DAMAGED', detail)
    this.look()
  }

  #noteBack(back: number): void {
    const { problems, count, meta, isWhole } = this.#o
    const wasUnsure = this.#isUnsure
    if (back > 0) count(0, back)
    if (wasUnsure && isWhole()) this.#isUnsure = false
    if ((back === 0 && !wasUnsure) || this.#open.size > 0 || this.#isUnsure) return
    meta.hasLosses = false
    problems.clear('vault', 'damaged')
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
