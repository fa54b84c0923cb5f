// Sees to it that a vault holds the hashes of a feed's blocks beside them (feed/leaves.ts), so that what is damaged or lost
// costs itself alone. Of each whole run two copies, in two packs as soon as there are two; of the newest run one, written with
// each head. What a vault lacks of it, because it is older or was damaged, is written the next time anything is stored.
import type { WriterId } from '../../core/ids.js'
import type { Feed } from '../../feed/feed.js'
import { encodeRun, NEWEST_RUN, numbersOfRun, RUN_BLOCKS } from '../../feed/leaves.js'
import type { PortableHead } from '../../feed/proof.js'
import type { StoredLeaves } from '../../vault/stored.js'
import { turn } from '../../vault/turn.js'

/** The part of a vault (src/vault) that this needs. */
export interface HoldsLeaves {
  /** The pack they stand in; undefined: they are not there. */
  packOfLeaves(writer: WriterId, index: number): number | undefined
  readonly tailPack: number
}

export interface LeafKeeperOptions {
  readonly writer: WriterId
  readonly certificate: Buffer
  readonly feed: Pick<Feed, 'leaves'>
  readonly vault: HoldsLeaves
}

/** Written at once: some 200 KiB. */
const RUNS_AT_ONCE = 256
/** Looked up in one slice. */
const RUNS_A_TURN = 1024

interface Due {
  readonly index: number
  readonly first: number
  readonly count: number
}

export class LeafKeeper {
  readonly #o: LeafKeeperOptions
  /** Runs below this one are as they should be. */
  #settled = 0
  /** The tail when that was found. */
  #tailPack: number | undefined

  constructor(options: LeafKeeperOptions) {
    this.#o = options
  }

  /** Something of it was lost. */
  lost(): void {
    this.#settled = 0
  }

  /**
   * What is to be written for a feed whose blocks up to this head are in the vault, or come with the first of these.
   * `isNew`: the head, or a block, is.
   */
  async *due(head: PortableHead, isNew: boolean): AsyncGenerator<StoredLeaves[], void, undefined> {
    const due = await this.#due(head.length, isNew)
    for (let at = 0; at < due.length; at += RUNS_AT_ONCE) {
      const runs: StoredLeaves[] = []
      for (const each of due.slice(at, at + RUNS_AT_ONCE)) {
        const run = await this.#run(each, head)
        if (run !== undefined) runs.push(run)
      }
      if (runs.length > 0) yield runs
    }
  }

  async #due(length: number, isNew: boolean): Promise<Due[]> {
    const { writer, vault } = this.#o
    if (length === 0) return []
    const { tailPack } = vault
    // What was together in the only pack there was can be put apart now.
    if (tailPack !== this.#tailPack) this.#settled = 0
    this.#tailPack = tailPack
    const newest = Math.floor((length - 1) / RUN_BLOCKS) * RUN_BLOCKS
    const [first, near, far]: Due[][] = [[], [], []]
    if (isNew || vault.packOfLeaves(writer, NEWEST_RUN) === undefined)
      first!.push({ index: NEWEST_RUN, first: newest, count: length - newest })
    const whole = Math.floor(length / RUN_BLOCKS)
    for (let run = this.#settled; run < whole; run++) {
      const [nearIndex, farIndex] = numbersOfRun(run)
      const [nearPack, farPack] = [nearIndex, farIndex].map((index) => vault.packOfLeaves(writer, index))
      const span = { first: run * RUN_BLOCKS, count: RUN_BLOCKS }
      if (nearPack === undefined) near!.push({ index: nearIndex, ...span })
      // Not beside the first: what takes the one might take both.
      const isLast = run === whole - 1
      const isApart = farPack !== undefined && (farPack !== nearPack || nearPack === tailPack)
      if (!isLast && !isApart) far!.push({ index: farIndex, ...span })
      const isSettled = nearPack !== undefined && isApart
      if (isSettled && run === this.#settled) this.#settled++
      if (run % RUNS_A_TURN === RUNS_A_TURN - 1) await turn()
    }
    return [...first!, ...near!, ...far!]
  }

  /** Undefined: a hash of it is not known here. */
  async #run({ index, first, count }: Due, head: PortableHead): Promise<StoredLeaves | undefined> {
    const { writer, certificate, feed } = this.#o
    const leaves = await feed.leaves(first, first + count)
    if (leaves === undefined) return undefined
    const told = index === NEWEST_RUN ? certificate : Buffer.alloc(0)
    return { writer, index, bytes: encodeRun({ first, leaves, head, certificate: told }) }
  }
}
