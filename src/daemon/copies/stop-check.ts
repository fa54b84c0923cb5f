// May this device be powered off now, as far as one share goes? Asked afresh: this disk and those of all connected members
// are looked at first, and members say what they hold now (holdings-talk.ts). Who is not connected, does not answer in time
// or does nothing does not count, whatever it said before.
// Answers yes only if every piece that the share needs and this disk holds is on enough other devices (core/copies.ts), and
// enough of them have read all that this one has: entries without content, such as removals, travel in feeds alone.
import { type Amount, type CopiesPromise, countingCopies, type Holder } from '../../core/copies.js'
import { behindBy } from '../../core/head.js'
import type { DeviceId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { LivePieces } from '../../core/live-pieces.js'
import type { FeedView } from '../../core/record-public.js'
import type { OwnHoldings } from '../../exchange/holdings.js'
import type { HoldingsAnswer, HoldingsTalk } from './holdings-talk.js'
import { inSlices } from './slices.js'

/** Why a member does not count; 'counted': it does. */
export type MemberWord = 'counted' | 'unreachable' | 'silent' | 'halted' | 'paused'

export interface CheckedMember {
  readonly device: DeviceId
  readonly name: string
  readonly word: MemberWord
  readonly isOffsite: boolean
  /** Records that this device has read and it had not; 0 of one that does not count. */
  readonly behind: number
}

export interface StopCheck {
  readonly promise: CopiesPromise
  /** Whether this disk was looked at, and what was found there published, in time; and where this device stands then. */
  readonly isLooked: boolean
  readonly standing: Standing
  /** Of pieces that are needed and held here, none if it was not to be found out. */
  readonly held: Amount
  /** Those that no member that counts has, and those on too few, or on too few of those off-site. */
  readonly onlyHere: Amount
  readonly belowMin: Amount
  readonly belowOffsite: Amount
  /** Members that have read all that this device has, and how many of them are off-site. */
  readonly complete: { readonly count: number; readonly offsite: number }
  /** Whether there is anything that others are to have read. */
  readonly hasRecords: boolean
  readonly members: readonly CheckedMember[]
}

export interface StopCheckOptions {
  readonly exchange: { own(): readonly OwnHoldings[] }
  readonly talk: Pick<HoldingsTalk, 'ask'>
  readonly walk: () => Generator<unknown, LivePieces>
  readonly promise: () => CopiesPromise | undefined
  /** Every enrolled member and every peer, each once. */
  readonly members: () => readonly { readonly device: DeviceId; readonly name: string }[]
  readonly isConnected: (device: DeviceId) => boolean
  readonly settle: () => Promise<void>
  readonly standing: () => Standing
  /** How much of each feed this device has read, those aside that nobody can follow any more. */
  readonly view: () => FeedView
  readonly isStopped: () => boolean
}

/** Where nothing is promised: no piece may be on this disk alone. */
export const LEAST_PROMISE: CopiesPromise = { min: 1, offsite: 0 }
const NOTHING: Amount = { pieces: 0, bytes: 0 }

/** `timeoutMs`: how long this disk, and then members, may take. */
export async function checkStop(o: StopCheckOptions, timeoutMs: number): Promise<StopCheck> {
  const isLooked = await lookedAt(o, timeoutMs)
  const answers = await o.talk.ask({ looksFirst: true, timeoutMs })
  const own = new Map(o.exchange.own().map(({ writer, have }) => [writer, have]))
  const walked = await inSlices(o.walk(), o.isStopped)
  const view = o.view()
  const members = o.members().map((member) => checked(member, answers.get(member.device), view, o))
  const counted = members.filter(({ word }) => word === 'counted')
  const promise = o.promise() ?? LEAST_PROMISE
  const holders = counted.map(
    ({ device, isOffsite }): Holder => ({ isOffsite, feeds: answers.get(device)!.feeds }),
  )
  const counts = walked && (await inSlices(countingCopies(walked.value, holders, promise, own), o.isStopped))
  const complete = counted.filter(({ behind }) => behind === 0)
  return {
    promise,
    isLooked,
    standing: o.standing(),
    held: counts?.value.total ?? NOTHING,
    onlyHere: counts?.value.none ?? NOTHING,
    belowMin: counts?.value.belowMin ?? NOTHING,
    belowOffsite: counts?.value.belowOffsite ?? NOTHING,
    complete: { count: complete.length, offsite: complete.filter(({ isOffsite }) => isOffsite).length },
    hasRecords: view.some(([, length]) => length > 0),
    members,
  }
}

async function lookedAt({ settle }: StopCheckOptions, timeoutMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), timeoutMs)
  })
  const settled = settle().then(
    () => true,
    // The share's standing says why.
    () => false,
  )
  const isLooked = await Promise.race([settled, timeout])
  clearTimeout(timer)
  return isLooked
}

function checked(
  { device, name }: { readonly device: DeviceId; readonly name: string },
  answer: HoldingsAnswer | undefined,
  view: FeedView,
  { isConnected }: StopCheckOptions,
): CheckedMember {
  const of = (word: MemberWord): CheckedMember => ({
    ...{ device, name, word },
    isOffsite: answer?.isOffsite ?? false,
    behind: word === 'counted' ? behindBy(answer!.view, view) : 0,
  })
  if (!isConnected(device)) return of('unreachable')
  if (answer === undefined) return of('silent')
  return of(answer.standing === 'halted' || answer.standing === 'paused' ? answer.standing : 'counted')
}
