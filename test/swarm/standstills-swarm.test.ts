// A path that carries one way alone what is large, between two swarms: whoever hears nothing any more can still tell.
import assert from 'node:assert/strict'
import type { Socket } from 'node:net'
import { test } from 'node:test'
import type { DhtFinding } from '../../src/swarm/finders.js'
import type { SharePeer } from '../../src/swarm/share-channel.js'
import { until } from '../support/until.js'
import { shareKeys, startNode } from './support.js'

const timings = { keepAliveMs: 50, deadPeerMs: 800 }

test('two connections in a row stand still: both ends know, though one of them hears all', async (t) => {
  const [keys] = shareKeys('read')
  const hushed: boolean[] = []
  // No DHT is asked: what it is told of devices is noted.
  const makeDht = async (): Promise<DhtFinding> => ({
    join: () => undefined,
    leave: () => undefined,
    hush: (_device, isHushed) => hushed.push(isHushed),
    close: async () => undefined,
    view: { nodes: 0, host: undefined, port: undefined, nat: 'unknown' },
  })
  const sends = await startNode(t, keys!, { timings, bootstrap: ['127.0.0.1:9'], makeDht })
  const hears = await startNode(t, keys!, { timings, knownHosts: [sends.host] })
  const sockets: Socket[] = []
  const goDeaf = (peer: SharePeer): void => {
    const socket = peer.stream.rawStream as unknown as Socket
    sockets.push(socket)
    socket.removeAllListeners('data')
    socket.pause()
  }
  hears.share.on('peer', goDeaf)
  for (const peer of hears.share.peers()) goDeaf(peer)
  await until('the end that hears nothing counts', () => hears.swarm.devices.stoodStill === 1)
  assert.ok(sockets.length >= 2, `${sockets.length} connections`)
  await until('the other end was told', () => sends.swarm.devices.stoodStill === 1)
  assert.deepEqual([hushed[0], hushed.at(-1)], [true, false], 'the DHT looks for it, though TCP is connected')
  for (const socket of sockets) socket.destroy()
})

test('a connection that is at rest does not stand still', async (t) => {
  const [keys] = shareKeys('read')
  const a = await startNode(t, keys!, { timings })
  const b = await startNode(t, keys!, { timings, knownHosts: [a.host] })
  let left = 0
  b.share.on('peer', (peer) => peer.on('close', () => left++))
  await until('they are connected', () => a.share.peers().length === 1 && b.share.peers().length === 1)
  const { stream } = a.share.peers()[0]!
  const before = stream.rawBytesRead
  await until('many keep-alives have come', () => stream.rawBytesRead > before + 20 * 20)
  assert.deepEqual([a.swarm.devices.stoodStill, b.swarm.devices.stoodStill, left], [0, 0, 0])
})
