// A feed whose records are asked of members: one that comes late is not lost, and one that nobody has is waited for no longer
// than so long. Time is the test's.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Core } from 'hypercore'
import type { ShoalError } from '../../../src/core/error.js'
import { spanAt } from '../../../src/daemon/restore/moment.js'
import { PastFeed } from '../../../src/daemon/restore/past-feed.js'
import { blocks, join2, own, remote, World } from '../../feed/helpers.js'
import { Blocks, KEYS, ME, newIndex } from '../share/support.js'

const LENGTH = 10
const PATIENCE_MS = 1000
const NEVER = Number.POSITIVE_INFINITY
/** More than any case takes: who waits longer waits for ever. */
const LONGEST = 20

/** By record that restoring lacks: after how many patiences somebody gives it, counted from when it is asked for. */
type Lateness = Readonly<Record<number, number>>

/**
 * As Hypercore does it: all of a span are asked for at once, and an answer to what was withdrawn meanwhile is not taken. Peers say
 * that they hold those offered; whoever gives the others has not said so in time.
 */
function feedFrom(lateness: Lateness, offered: readonly number[] = [], given?: Blocks): PastFeed['feed'] {
  const here = new Set(all().filter((index) => lateness[index] === undefined))
  return {
    length: LENGTH,
    has: async (first, end) => all().every((index) => index < first || index >= end || here.has(index)),
    isOffered: (first, end) => offered.some((index) => index >= first && index < end),
    async *read(first, end, { signal } = {}) {
      const asked = new Map<number, Promise<void>>()
      const timers: NodeJS.Timeout[] = []
      for (let index = first; index < end; index++) {
        if (here.has(index)) continue
        const given = new Promise<void>((resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
          const come = (): void => {
            here.add(index)
            resolve()
          }
          if (lateness[index] === 0) come()
          else if (lateness[index] !== NEVER) timers.push(setTimeout(come, lateness[index]! * PATIENCE_MS))
        })
        given.catch(() => undefined)
        asked.set(index, given)
      }
      try {
        for (let index = first; index < end; index++) {
          await asked.get(index)
          if (given !== undefined) yield* given.read(index, index + 1)
          else yield { index, block: Buffer.alloc(0) }
        }
      } finally {
        for (const timer of timers) clearTimeout(timer)
      }
    },
  }
}

/** What is read of it, and after how many patiences that has ended. */
async function read(
  context: TestContext,
  lateness: Lateness,
  offered: readonly number[] = [],
): Promise<{ readonly lost: readonly number[]; readonly took: number }> {
  const asked = askedOf(feedFrom(lateness, offered))
  const given: number[] = []
  const { took } = await timed(context, async () => {
    for await (const { index } of asked.blocks(0, LENGTH, new AbortController().signal)) given.push(index)
  })
  assert.deepEqual(
    given,
    all().filter((index) => given.includes(index)),
    'each once, in order',
  )
  return { lost: all().filter((index) => !given.includes(index)), took }
}

function askedOf(feed: PastFeed['feed']): PastFeed {
  return new PastFeed(newIndex().feeds.byWriter(ME)!, feed, { patienceMs: PATIENCE_MS })
}

/** What comes of it, and after how many patiences. */
async function timed<T>(
  context: TestContext,
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly took: number }> {
  let ended = false
  const working = work().finally(() => {
    ended = true
  })
  working.catch(() => undefined)
  let took = 0
  for (await turn(); !ended && took < LONGEST; took += 0.25) {
    context.mock.timers.tick(PATIENCE_MS / 4)
    await turn()
  }
  assert.ok(ended, `it ends, and not after ${LONGEST} patiences`)
  return { value: await working, took }
}

function all(): number[] {
  return Array.from({ length: LENGTH }, (_, index) => index)
}

/** Records 0 to 8, each so late. */
function allButLast(late: number): Lateness {
  return Object.fromEntries(
    all()
      .map((index) => [index, late] as const)
      .slice(0, -1),
  )
}

const CASES: readonly {
  readonly name: string
  readonly lateness: Lateness
  readonly offered?: readonly number[]
  readonly lost: readonly number[]
  readonly took: number
}[] = [
  { name: 'the only one lacking comes late', lateness: { 5: 1.5 }, lost: [], took: 1.5 },
  { name: 'the only one lacking comes later still', lateness: { 5: 2.75 }, lost: [], took: 2.75 },
  { name: 'the only one lacking, nobody has', lateness: { 5: NEVER }, lost: [5], took: 3 },
  { name: 'the last one lacking comes late', lateness: { 2: 0, 6: 2.75 }, lost: [], took: 2.75 },
  { name: 'the last one lacking, nobody has', lateness: { 2: 0, 6: NEVER }, lost: [6], took: 3 },
  { name: 'one after the other comes late', lateness: { 2: 2, 6: 4.5 }, lost: [], took: 4.5 },
  { name: 'a run comes late', lateness: { 4: 2, 5: 2, 6: 2.5 }, lost: [], took: 2.5 },
  { name: 'nobody has it who gives what comes after it', lateness: { 2: NEVER, 6: 0 }, lost: [2], took: 1 },
  { name: 'the first answer of all comes late', lateness: allButLast(2.75), lost: [], took: 2.75 },
  {
    name: 'one gives what comes after it, another one has it and is late',
    ...{ lateness: { 2: 2.75, 6: 0 }, offered: [2], lost: [], took: 2.75 },
  },
  {
    name: 'one gives what comes after it, another one says that it has it and never gives it',
    ...{ lateness: { 2: NEVER, 6: 0 }, offered: [2], lost: [2], took: 3 },
  },
  {
    name: 'nobody has it, and who has the next one is late',
    ...{ lateness: { 2: NEVER, 3: 2, 6: 0 }, offered: [3], lost: [2], took: 3 },
  },
  {
    name: 'R2: two that nobody has, nor gave to an earlier restore, who gave what comes after them',
    ...{ lateness: { 3: NEVER, 8: NEVER }, lost: [3, 8], took: 6 },
  },
  {
    name: 'R2: most of what comes after it, nobody has either; what they do have is here already',
    ...{ lateness: { 0: NEVER, 2: NEVER, 3: NEVER, 4: NEVER, 5: NEVER, 6: NEVER }, offered: [1, 7, 8, 9] },
    ...{ lost: [0, 2, 3, 4, 5, 6], took: 6 },
  },
]

for (const { name, lateness, offered, lost, took } of CASES)
  test(`from members: ${name}`, async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    assert.deepEqual(await read(context, lateness, offered), { lost, took })
  })

/** Says since when it is to be read, in a record given after so many patiences. */
async function beginning(
  context: TestContext,
  late: number,
): Promise<{ readonly from: number | undefined; readonly took: number }> {
  const given = new Blocks(KEYS[0]!)
  for (const index of all())
    given.add({
      header: { kind: 'delta', timeMs: 1000, view: [], checkpoint: index === 9 ? 4 : undefined },
      announcements: [],
      entries: [],
    })
  const asked = askedOf(feedFrom({ 0: NEVER, 9: late }, [], given))
  const { value, took } = await timed(context, async () => {
    try {
      return (await spanAt(asked, undefined)).from
    } catch (thrown) {
      assert.equal((thrown as ShoalError).code, 'NOT_FOUND')
      return undefined
    }
  })
  return { from: value, took }
}

test('from members: a record that says where to begin is awaited for three patiences before anything has come', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  assert.deepEqual(await beginning(context, 0), { from: 4, took: 0 })
  assert.deepEqual(await beginning(context, 2.75), { from: 4, took: 2.75 })
  assert.deepEqual(await beginning(context, NEVER), { from: undefined, took: 3 })
})

test('from members: once one has come, the next is awaited for one patience, for three if a peer offers it; silence is not kept', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const given = new Blocks(KEYS[0]!)
  for (const index of all())
    given.add({
      header: { kind: 'delta', timeMs: index, view: [], checkpoint: undefined },
      announcements: [],
      entries: [],
    })
  const late: Record<number, number> = { 3: 0, 4: 1.5, 5: 2.75 }
  const asked = askedOf(feedFrom(late, [5], given))
  const of = async (index: number): Promise<readonly [timeMs: number | undefined, took: number]> => {
    const { value, took } = await timed(context, () => asked.header(index))
    return [value?.timeMs, took]
  }
  assert.deepEqual(await of(3), [3, 0])
  assert.deepEqual(await of(4), [undefined, 1])
  assert.deepEqual(await of(5), [5, 2.75])
  late[4] = 0.5
  assert.deepEqual(await of(4), [4, 0.5])
})

test('from members: nothing is lost because something later was here before, where nobody gives anything', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  await assert.rejects(read(context, allButLast(NEVER)), { code: 'NOT_FOUND' })
  await assert.rejects(read(context, { 9: NEVER }), { code: 'NOT_FOUND' })
  // Who says that it has them all, and gives none, is no proof that they are lost.
  await assert.rejects(read(context, allButLast(NEVER), all()), { code: 'NOT_FOUND' })
  await assert.rejects(read(context, allButLast(NEVER), [2]), { code: 'NOT_FOUND' })
  // And late is late.
  await assert.rejects(read(context, allButLast(3.5)), { code: 'NOT_FOUND' })
})

test('from members: what is asked for stays asked for, as who answers late answers no sooner if he is asked again', async () => {
  // The timer of its patience keeps no process alive.
  const alive = setInterval(() => undefined, 1000)
  const world = new World()
  try {
    const written = await own(await world.store())
    await written.append(blocks(...all().map(String)))
    const feed = await remote(await world.store(), written)
    await join2(world, written, feed)
    for await (const _ of feed.read(0, LENGTH));
    await feed.clear(5, 6)
    // Each answer comes when it has been looked for in vain for the second time since it was asked for.
    let looks = 0
    const awaited: { readonly at: number; readonly answer: () => unknown }[] = []
    const [peer] = coreOf(written).replicator.peers
    const { onrequest } = peer!
    peer!.onrequest = async (message) => {
      awaited.push({ at: looks + 2, answer: () => onrequest.call(peer, message) })
    }
    const asked = new PastFeed(
      newIndex().feeds.byWriter(ME)!,
      {
        length: LENGTH,
        has: (first, end) => {
          if (first === 5 && end === 6 && awaited.length > 0) looks++
          for (const { at, answer } of awaited) if (at === looks) answer()
          return feed.has(first, end)
        },
        read: (first, end, options) => feed.read(first, end, options),
      },
      { patienceMs: 300 },
    )
    const given: number[] = []
    for await (const { index } of asked.blocks(0, LENGTH, new AbortController().signal)) given.push(index)
    assert.deepEqual(given, all())
    assert.equal(awaited.length, 1)
  } finally {
    clearInterval(alive)
    await world.close()
  }
})

test('from members: one who lacks a record and gives the next does not make it lost while another one has it and is late', async () => {
  // The timer of its patience keeps no process alive.
  const alive = setInterval(() => undefined, 1000)
  const world = new World()
  try {
    const written = await own(await world.store())
    await written.append(blocks(...all().map(String)))
    const lacks = await remote(await world.store(), written)
    await join2(world, written, lacks)
    for await (const _ of lacks.read(0, LENGTH));
    // A pair: half of one takes the tree's node along that a proof of the other half needs, and asking for that ends the connection.
    await lacks.clear(4, 6)
    const feed = await remote(await world.store(), written)
    await join2(world, lacks, feed)
    await join2(world, written, feed)
    const { peers } = coreOf(feed).replicator
    while (peers.length < 2 || !feed.isOffered(5, 6)) await turn()
    let silences = 0
    let answer: (() => unknown) | undefined
    for (const peer of coreOf(written).replicator.peers) {
      const { onrequest } = peer
      peer.onrequest = async (message) => {
        const { block } = message as { readonly block: { readonly index: number } | null }
        if (block?.index !== 5) return onrequest.call(peer, message)
        answer = () => onrequest.call(peer, message)
      }
    }
    const asked = new PastFeed(
      newIndex().feeds.byWriter(ME)!,
      {
        length: LENGTH,
        has: (first, end) => {
          if (first === 5 && end === 6 && answer !== undefined && ++silences === 2) answer()
          return feed.has(first, end)
        },
        isOffered: (first, end) => feed.isOffered(first, end),
        read: (first, end, options) => feed.read(first, end, options),
      },
      { patienceMs: 300 },
    )
    const given: number[] = []
    for await (const { index } of asked.blocks(0, LENGTH, new AbortController().signal)) given.push(index)
    assert.deepEqual(given, all())
    assert.equal(silences, 2)
    assert.equal(peers.length, 2, 'both are still there')
  } finally {
    clearInterval(alive)
    await world.close()
  }
})

function coreOf(feed: object): Core {
  return (feed as { readonly core: Core }).core
}
