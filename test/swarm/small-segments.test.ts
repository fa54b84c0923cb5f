// Small segments are on the socket before it connects, seen by what the kernel says of both ends.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { dialTcp } from '../../src/swarm/tcp.js'

const [IPPROTO_TCP, TCP_MAXSEG] = [6, 2]

function segmentBytes(socket: Socket): number {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const getsockopt = koffi
    .load(null)
    .func('int getsockopt(int fd, int level, int name, uint8_t *value, uint8_t *length)')
  const [value, length] = [Buffer.alloc(4), Buffer.from([4, 0, 0, 0])]
  const { fd } = (socket as Socket & { _handle: { fd: number } })._handle
  assert.equal(getsockopt(fd, IPPROTO_TCP, TCP_MAXSEG, value, length), 0)
  return value.readInt32LE()
}

test('both ends of a connection dialled so send small segments; of any other, large ones', async (t) => {
  if (process.platform !== 'linux') return t.skip('segments are chosen on Linux alone')
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer()
    server.listen(0, host)
    const failed = once(server, 'listening').then(
      () => false,
      () => true,
    )
    if (await failed) {
      t.diagnostic(`${host} is not to be had here`)
      continue
    }
    t.after(() => server.close())
    const { port } = server.address() as { port: number }
    for (const isSmall of [true, false]) {
      const accepted = once(server, 'connection') as Promise<[Socket]>
      const dialled = await dialTcp({ host, port }, 5_000, new AbortController().signal, isSmall)
      const [other] = await accepted
      for (const socket of [dialled, other]) {
        assert.equal(segmentBytes(socket) <= 1220, isSmall, `${host} ${segmentBytes(socket)}`)
        t.after(() => socket.destroy())
      }
    }
  }
})
