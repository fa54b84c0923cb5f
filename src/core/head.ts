// How far a device has read the share: the length of each feed that it has taken over. Lengths only grow, so a head that is
// written down names a moment, and whoever holds at least that much of every feed holds what was published by then.
//
// The text, for people and scripts: TAG:WRITER.LENGTH,WRITER.LENGTH,... ascending by writer, feeds of length 0 left out. TAG is
// the first 8 hex digits of a hash of the share's id, so that the head of one share is not taken for another's.
import { ShoalError } from './error.js'
import { blake3 } from './hash.js'
import { parseWriterId, type ShareId, type WriterId } from './ids.js'
import { type FeedView, MAX_VIEW } from './record-public.js'

export interface Head {
  /** 8 hex digits. */
  readonly tag: string
  /** Ascending by writer, no length is 0. */
  readonly view: FeedView
}

const TAG_BYTES = 4
const LABEL = Buffer.from('shoal head\0')
const TEXT = /^([0-9a-f]{8}):((?:[0-9a-f]{16}\.[1-9]\d{0,15}(?:,|$))*)$/

/** What tells the heads of a share from those of others. */
export function headTag(shareId: ShareId): string {
  return blake3(Buffer.concat([LABEL, Buffer.from(shareId, 'hex')]))
    .subarray(0, TAG_BYTES)
    .toString('hex')
}

export function formatHead(tag: string, view: FeedView): string {
  const parts = view.filter(([, length]) => length > 0).map(([writer, length]) => `${writer}.${length}`)
  return `${tag}:${parts.join(',')}`
}

/** Reads a head's text. USAGE if it is none. */
export function parseHead(text: string): Head {
  const match = TEXT.exec(text)
  const view = (match?.[2] ?? '')
    .split(',')
    .filter((part) => part !== '')
    .map((part): [WriterId, number] => [parseWriterId(part.slice(0, 16)), Number(part.slice(17))])
  const ascends = view.every(([writer], i) => i === 0 || view[i - 1]![0] < writer)
  const isSound = view.every(([, length]) => Number.isSafeInteger(length)) && view.length <= MAX_VIEW
  if (match === null || match[2]!.endsWith(',') || !ascends || !isSound)
    throw new ShoalError(
      'USAGE',
      'that is no head: copy the whole of it from the line "head" of shoal status, or from "head" in its --json',
    )
  return { tag: match[1]!, view }
}

/** Whether nothing of the share has been read: no record of it has come yet. */
export function isEmptyHead(head: string): boolean {
  return TEXT.exec(head)?.[2] === ''
}

/** Whether a view has at least what another has. */
export function covers(view: FeedView, least: FeedView): boolean {
  return behindBy(view, least) === 0
}

/** How many records of `other` a view does not have. */
export function behindBy(view: FeedView, other: FeedView): number {
  const lengths = new Map(view)
  return other.reduce((sum, [writer, length]) => sum + Math.max(0, length - (lengths.get(writer) ?? 0)), 0)
}

/** Whether two views are the same, feeds that nobody can follow any more (`except`) aside. */
export function sameViews(a: FeedView, b: FeedView, except: ReadonlySet<WriterId> = new Set()): boolean {
  const [one, two] = [a, b].map((view) => view.filter(([writer]) => !except.has(writer)))
  return covers(one!, two!) && covers(two!, one!)
}
