// A feed whose records are asked of members: one that comes late is not lost, and one that nobody has is waited for no longer
// than so long. Time is the test's.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import type { Core } from 'hypercore'
import { PastFeed } from '../../../src/daemon/restore/past-feed.js'
import { blocks, join2, own, remote, World } from '../../feed/helpers.js'
import { ME, newIndex } from '../share/support.js'

const LENGTH = 10
const PATIENCE_MS = 1000
const NEVER = Number.POSITIVE_INFINITY
/** More than any case takes: who waits longer waits for ever. */
const LONGEST = 20

/** By record that restoring lacks: after how many patiences somebody gives it, counted from when it is asked for. */
type Lateness = Readonly<Record<number, number>>

/** As Hypercore does it: all of a span are asked for at once, and an answer to what was withdrawn meanwhile is not taken. */
function feedFrom(lateness: Lateness): Pick<PastFeed['feed'], 'length' | 'has' | 'read'> {
  const here = new Set(all().filter((index) => lateness[index] === undefined))
  return {
    length: LENGTH,
    has: async (first, end) => all().every((index) => index < first || index >= end || here.has(index)),
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
          yield { index, block: Buffer.alloc(0) }
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
): Promise<{ readonly lost: readonly number[]; readonly took: number }> {
  const row = newIndex().feeds.byWriter(ME)!
  const asked = new PastFeed(row, feedFrom(lateness), { patienceMs: PATIENCE_MS })
  const given: number[] = []
  let ended = false
  const reading = (async () => {
    for await (const { index } of asked.blocks(0, LENGTH, new AbortController().signal)) given.push(index)
  })().finally(() => {
    ended = true
  })
  reading.catch(() => undefined)
  let took = 0
  for (await turn(); !ended && took < LONGEST; took += 0.25) {
    context.mock.timers.tick(PATIENCE_MS / 4)
    await turn()
  }
  assert.ok(ended, `it ends, and not after ${LONGEST} patiences`)
  await reading
  assert.deepEqual(
    given,
    all().filter((index) => given.includes(index)),
    'each once, in order',
  )
  return { lost: all().filter((index) => !given.includes(index)), took }
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

const CASES: readonly { name: string; lateness: Lateness; lost: readonly number[]; took: number }[] = [
  { name: 'the only one lacking comes late', lateness: { 5: 1.5 }, lost: [], took: 1.5 },
  { name: 'the only one lacking comes later still', lateness: { 5: 2.75 }, lost: [], took: 2.75 },
  { name: 'the only one lacking, nobody has', lateness: { 5: NEVER }, lost: [5], took: 3 },
  { name: 'the last one lacking comes late', lateness: { 2: 0, 6: 2.75 }, lost: [], took: 2.75 },
  { name: 'the last one lacking, nobody has', lateness: { 2: 0, 6: NEVER }, lost: [6], took: 3 },
  { name: 'one after the other comes late', lateness: { 2: 2, 6: 4.5 }, lost: [], took: 4.5 },
  { name: 'a run comes late', lateness: { 4: 2, 5: 2, 6: 2.5 }, lost: [], took: 2.5 },
  { name: 'nobody has it who gives what comes after it', lateness: { 2: NEVER, 6: 0 }, lost: [2], took: 1 },
  { name: 'the first answer of all comes late', lateness: allButLast(2.75), lost: [], took: 2.75 },
]

for (const { name, lateness, lost, took } of CASES)
  test(`from members: ${name}`, async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] })
    assert.deepEqual(await read(context, lateness), { lost, took })
  })

test('from members: nothing is lost because something later was here before, where nobody gives anything', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  await assert.rejects(read(context, allButLast(NEVER)), { code: 'NOT_FOUND' })
  await assert.rejects(read(context, { 9: NEVER }), { code: 'NOT_FOUND' })
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

function coreOf(feed: object): Core {
  return (feed as { readonly core: Core }).core
}
