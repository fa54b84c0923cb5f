// A piece that is missing, as it is asked for: under each length that a feed announced its id with, by the numbers that say so. One, but
// where feeds contradict each other: then only who has the piece knows which length is true, and offers it under that alone.
import type { WriterId } from '../../core/ids.js'
import type { PieceName } from '../../core/picker.js'
import type { BlindIndex } from '../../store/blind-index.js'
import type { PieceExchange } from '../share/piece-exchange.js'

/** A piece under one of its lengths, and the numbers that say so. */
export interface Try extends PieceName {
  readonly refs: readonly { readonly writer: WriterId; readonly index: number }[]
}

/** Lengths of one piece asked for at a time, those first that somebody holds: any writer can announce any number of them. */
const MAX_TRIES = 16

/** All of them, the piece's own as `length` says it among them. */
export function triesOf(
  { id, length }: PieceName,
  index: Pick<BlindIndex, 'refsOf' | 'at' | 'feeds'>,
  exchange: Pick<PieceExchange, 'isAvailable'>,
): readonly Try[] {
  const refs = index.refsOf(id)
  const tries = new Map<number, PieceName & { readonly refs: { writer: WriterId; index: number }[] }>()
  for (const { feed, index: number } of refs) {
    const writer = index.feeds.byNumber(feed)?.writer
    const said = refs.length === 1 ? length : index.at(feed, number)?.length
    if (writer === undefined || said === undefined) continue
    const known = tries.get(said)
    if (known === undefined) tries.set(said, { id, length: said, refs: [{ writer, index: number }] })
    else known.refs.push({ writer, index: number })
  }
  const all = [...tries.values()]
  if (all.length <= MAX_TRIES) return all
  const held = new Set(all.filter((each) => exchange.isAvailable(each.refs)))
  return [...held, ...all.filter((each) => !held.has(each))].slice(0, MAX_TRIES)
}
