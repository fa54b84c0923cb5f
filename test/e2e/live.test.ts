// What a dashboard sees of real daemons: peers, pieces, and events that can be taken up again after a restart.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { readEvents } from '../../src/control/event-client.js'
import type { EventReport, EventType } from '../../src/control/schema-events.js'
import type { ShareLive } from '../../src/control/schema-live.js'
import { converged, type TestNode, withWorld } from '../support/daemons.js'

const POLL_MS = 50

async function eventsOf(node: TestNode, after?: number): Promise<EventReport[]> {
  const events: EventReport[] = []
  for await (const event of readEvents(node.storage, { after, follow: false })) events.push(event)
  return events
}

/** Follows a node's events until each of these was met. */
async function heard(
  node: TestNode,
  ...conditions: ((event: EventReport) => boolean)[]
): Promise<EventReport[]> {
  let missing = conditions
  const events: EventReport[] = []
  for await (const event of readEvents(node.storage, { signal: AbortSignal.timeout(60_000) })) {
    events.push(event)
    missing = missing.filter((condition) => !condition(event))
    if (missing.length === 0) return events
  }
  assert.fail(`not all was told: ${missing.length} of ${conditions.length}: ${JSON.stringify(events)}`)
}

async function liveWhen(node: TestNode, condition: (share: ShareLive) => boolean): Promise<ShareLive> {
  const end = performance.now() + 45_000
  for (;;) {
    const [share] = (await node.client.live()).shares
    if (share !== undefined && condition(share)) return share
    if (performance.now() > end) throw new Error(`never so: ${JSON.stringify(share)}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

test('a peer that differs in one file is shown with all the others that it holds, also those it need not tell of', async () => {
  await withWorld({}, async (world) => {
    const options = (name: string): { grade: 'read' | 'write' } => ({
      grade: name === 'ben' ? 'read' : 'write',
    })
    const [anna, ben] = (await world.start(['anna', 'ben'], options)) as [TestNode, TestNode]
    anna.write('note', 'hello')
    await converged([anna, ben])
    const film = randomBytes(3 << 20)
    ben.write('own', 'of ben alone')
    ben.write('film', film)
    await ben.client.settle()
    await liveWhen(anna, ({ peers }) => peers[0]?.inSync === false)
    // Ben has it already, and is told of nothing to fetch.
    anna.write('film', film)
    await anna.client.settle()
    const { peers, totalPieces } = await liveWhen(
      anna,
      ({ peers: [peer], totalPieces: total, state }) =>
        state === 'idle' && total > 2 && peer?.heldPieces === total,
    )
    assert.deepEqual([peers[0]!.inSync, peers[0]!.totalPieces], [false, totalPieces])
    assert.equal((await ben.share()).drift, 1)
  })
})

test('live, availability and events of two daemons', async () => {
  await withWorld({}, async (world) => {
    const nodes = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    const [anna, ben] = nodes
    const content = randomBytes(3 << 20)
    anna.write('film', content)
    anna.write('note', 'hello')
    await converged(nodes)

    for (const [node, other] of [
      [anna, 'ben'],
      [ben, 'anna'],
    ] as const) {
      const share = await liveWhen(node, ({ state, peers }) => state === 'idle' && peers[0]?.inSync === true)
      const peer = share.peers[0]!
      assert.deepEqual([peer.name, peer.transport, peer.grade], [other, 'tcp', 'write'])
      assert.ok(peer.rttMs !== null && peer.rttMs >= 0)
      assert.ok(share.totalPieces >= 2, `${share.totalPieces}`)
      const counts = await liveWhen(node, (each) => each.peers[0]?.heldPieces === each.totalPieces)
      assert.equal(counts.heldPieces, counts.totalPieces)
      assert.deepEqual([share.transfers, share.transferCount, share.needFiles], [[], 0, 0])
      const map = await node.client.availability({ share: 0, width: 10 })
      assert.deepEqual(
        [map.pieces, map.held, map.rarestCopies, map.rarestPieces],
        [counts.totalPieces, counts.totalPieces, 2, counts.totalPieces],
      )
    }
    const bytes = [(await anna.client.live()).shares[0]!.sentBytes, (await ben.share()).receivedBytes]
    assert.ok(
      bytes.every((each) => each >= content.length),
      bytes.join(),
    )

    const types: readonly EventType[] = ['peer-connected', 'changed', 'applied', 'state']
    const byBen = await heard(ben, ...types.map((type) => (event: EventReport) => event.type === type))
    const changed = byBen.flatMap((event) => (event.type === 'changed' ? [event] : []))
    assert.ok(
      changed.every(({ from }) => from === 'anna'),
      JSON.stringify(changed),
    )
    const applied = byBen.flatMap((event) => (event.type === 'applied' ? [event] : []))
    assert.ok(applied.some(({ paths }) => paths.includes('film') || paths.includes('note')))
    const byAnna = await heard(anna, ({ type }) => type === 'changed')
    assert.ok(byAnna.some((event) => event.type === 'changed' && event.from === null))
    assert.deepEqual(new Set(byBen.map(({ dir }) => dir)), new Set([ben.dir]))

    await ben.client.pause({ share: 0 })
    await heard(ben, ({ type }) => type === 'paused')
    await heard(ben, (event) => event.type === 'state' && event.state === 'paused')
    await ben.client.resume({ share: 0 })
    await heard(ben, ({ type }) => type === 'resumed')

    // One goes: the other says so. It comes back: what was told before is gone, and it says that, too.
    const last = (await eventsOf(ben)).at(-1)!.id
    await ben.restart()
    const since = await eventsOf(ben, last)
    assert.equal(since[0]?.type, 'gap')
    assert.ok(since.slice(1).every(({ id }) => id > last))
    const left = (await heard(anna, ({ type }) => type === 'peer-left')).at(-1)
    assert.ok(left?.type === 'peer-left' && left.name === 'ben')
    const { exit, out } = await world.run(['events', anna.configFile])
    assert.equal(exit, 0)
    assert.match(out, /: ben left \([0-9a-f]{8}\): /)
  })
})
