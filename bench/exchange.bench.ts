// How many pieces a second move between two exchanges over a loopback Noise connection, and what does a piece cost the
// main thread? Both ends run in one process, or with --split the serving end in a child, pieces in memory, so that neither
// disk nor sealing is counted.
//   node exchange.bench.js [--pieces 20000] [--bytes 14848] [--rounds 3] [--split]
import { fork } from 'node:child_process'
import net from 'node:net'
import os from 'node:os'
import { parseArgs } from 'node:util'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import { Bitfield } from '../src/core/bitfield.js'
import { deviceIdFromKey, writerIdOf } from '../src/core/ids.js'
import { Exchange, type WantedPiece } from '../src/exchange/exchange.js'
import { silentLog } from '../src/ports/log.js'
import { TestPeer, testDevice, testKeyPair } from '../test/support/streams.js'

const { values } = parseArgs({
  options: {
    pieces: { type: 'string', default: '20000' },
    bytes: { type: 'string', default: '14848' },
    rounds: { type: 'string', default: '3' },
    split: { type: 'boolean', default: false },
    serve: { type: 'boolean', default: false },
  },
})
const pieceCount = Number(values.pieces)
const pieceBytes = Number(values.bytes)
const discoveryKey = Buffer.alloc(32, 9)
const writer = writerIdOf(discoveryKey)

function stream(isInitiator: boolean, socket: net.Socket, seed: number): NoiseSecretStream {
  socket.setNoDelay(true)
  const noise = new NoiseSecretStream(isInitiator, socket, { keyPair: testKeyPair(seed) })
  noise.on('error', () => {})
  return noise
}

async function serve(): Promise<number> {
  const piece = Buffer.alloc(pieceBytes, 7)
  const all = new Bitfield(pieceCount)
  for (let index = 0; index < pieceCount; index++) all.set(index)
  const exchange = new Exchange({
    device: testDevice(1),
    source: { read: async (requests) => requests.map(() => piece), lengthOf: () => pieceBytes },
    log: silentLog,
  })
  exchange.addFeed({ writer, discoveryKey, pieceCount, have: all })
  const server = net.createServer((socket) => {
    const noise = stream(false, socket, 1)
    void noise.opened.then(() => exchange.attach(new TestPeer(noise)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  server.unref()
  return (server.address() as net.AddressInfo).port
}

async function fetchAll(port: number): Promise<{ seconds: number; cpuSeconds: number }> {
  const exchange = new Exchange({
    device: testDevice(2),
    source: { read: async () => [], lengthOf: () => undefined },
    log: silentLog,
  })
  exchange.addFeed({ writer, discoveryKey, pieceCount, have: new Bitfield() })
  const noise = stream(true, net.connect(port, '127.0.0.1'), 2)
  await noise.opened
  const peer = new TestPeer(noise)
  if (peer.device !== deviceIdFromKey(testKeyPair(1).publicKey)) throw new Error('connected to a stranger')
  const wanted: WantedPiece[] = Array.from({ length: pieceCount }, (_, index) => {
    const id = Buffer.alloc(32)
    id.writeUInt32BE(index)
    return { id, length: pieceBytes, refs: [{ writer, index }], priority: 1 }
  })
  const start = performance.now()
  const cpu = process.cpuUsage()
  let left = pieceCount
  const done = new Promise<void>((resolve) => {
    exchange.on('pieces', (batch) => {
      for (const { bytes } of batch) if (bytes.length !== pieceBytes) throw new Error('wrong length')
      exchange.have(
        writer,
        batch.map(({ id }) => id.readUInt32BE(0)),
      )
      left -= batch.length
      if (left === 0) resolve()
    })
  })
  exchange.attach(peer)
  exchange.want(wanted)
  await done
  const seconds = (performance.now() - start) / 1000
  const used = process.cpuUsage(cpu)
  exchange.close()
  peer.close('done')
  await peer.whenClosed()
  return { seconds, cpuSeconds: (used.user + used.system) / 1e6 }
}

async function remotePort(): Promise<{ port: number; stop: () => void }> {
  const child = fork(new URL(import.meta.url).pathname, ['--serve', ...process.argv.slice(2)])
  const port = await new Promise<number>((resolve) =>
    child.once('message', (message) => resolve(Number(message))),
  )
  return { port, stop: () => child.kill() }
}

if (values.serve) {
  const port = await serve()
  process.send?.(port)
  const keep = setInterval(() => {}, 60_000)
  process.once('disconnect', () => clearInterval(keep))
} else {
  const { port, stop } = values.split ? await remotePort() : { port: await serve(), stop: () => {} }
  const results: { seconds: number; cpuSeconds: number }[] = []
  for (let round = 0; round < Number(values.rounds); round++) results.push(await fetchAll(port))
  stop()
  results.sort((a, b) => a.seconds - b.seconds)
  const median = results[results.length >> 1]!
  const megabytes = (pieceCount * pieceBytes) / 1e6
  console.log(
    `${pieceCount} pieces of ${pieceBytes} B, ${values.split ? 'two processes' : 'one process'}, ` +
      `${os.cpus().length} cores, node ${process.version}`,
  )
  console.log(
    `median ${median.seconds.toFixed(2)} s (${results[0]!.seconds.toFixed(2)} to ${results.at(-1)!.seconds.toFixed(2)}): ` +
      `${Math.round(pieceCount / median.seconds)} pieces/s, ${(megabytes / median.seconds).toFixed(0)} MB/s, ` +
      `${((median.cpuSeconds / pieceCount) * 1e6).toFixed(1)} us of processor time a piece`,
  )
}
