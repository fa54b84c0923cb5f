// UDP traffic of a steady pace, and what became of it, to measure links with.
//   traffic-process.js echo HOST                              tells of each packet until its input ends; says "ready"
//   traffic-process.js send HOST PACKETS_A_SECOND BYTES S     one line of JSON, UdpFigures
import { createSocket } from 'node:dgram'
import { once } from 'node:events'

export interface UdpFigures {
  /** Of packets that came back: time from sending until the answer, which is short and takes the way back. */
  readonly medianMs: number
  /** Share of packets that were not answered. */
  readonly lost: number
  /** IP bytes that arrived there, from the first packet to the last by the clock there. */
  readonly bitsPerSecond: number
}

const PORT = 7007
const HEADER_BYTES = 28
/** What is still on its way at the end. */
const LAST_MS = 1_500
const TICK_MS = 5

const [mode, host = '', ...numbers] = process.argv.slice(2)
if (mode === 'echo') await echo()
else console.log(JSON.stringify(await send(...(numbers.map(Number) as [number, number, number]))))
process.exit(0)

async function echo(): Promise<void> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
  let firstMs: number | undefined
  let bytes = 0
  socket.on('message', (packet, { address, port }) => {
    const nowMs = performance.now()
    // The first one starts the clock, and is not of the time after.
    if (firstMs === undefined) firstMs = nowMs
    else bytes += packet.length + HEADER_BYTES
    const answer = Buffer.alloc(20)
    packet.copy(answer, 0, 0, 4)
    answer.writeDoubleBE(nowMs - firstMs, 4)
    answer.writeDoubleBE(bytes, 12)
    socket.send(answer, port, address)
  })
  socket.bind(PORT, host)
  await once(socket, 'listening')
  console.log('ready')
  process.stdin.resume()
  await once(process.stdin, 'end')
}

async function send(perSecond: number, bytes: number, seconds: number): Promise<UdpFigures> {
  const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 })
  socket.bind()
  await once(socket, 'listening')
  const sentMs: number[] = []
  const tookMs: number[] = []
  let lastMs = 0
  let lastBytes = 0
  socket.on('message', (answer) => {
    tookMs.push(performance.now() - sentMs[answer.readUInt32BE(0)]!)
    lastMs = Math.max(lastMs, answer.readDoubleBE(4))
    lastBytes = Math.max(lastBytes, answer.readDoubleBE(12))
  })
  const packet = Buffer.alloc(bytes)
  const startMs = performance.now()
  for (;;) {
    const due = Math.min(((performance.now() - startMs) / 1000) * perSecond, perSecond * seconds)
    while (sentMs.length < due) {
      packet.writeUInt32BE(sentMs.length, 0)
      sentMs.push(performance.now())
      socket.send(Buffer.from(packet), PORT, host)
    }
    if (sentMs.length >= perSecond * seconds) break
    await pause(TICK_MS)
  }
  await pause(LAST_MS)
  tookMs.sort((a, b) => a - b)
  return {
    medianMs: tookMs[tookMs.length >> 1] ?? Number.NaN,
    lost: 1 - tookMs.length / sentMs.length,
    bitsPerSecond: lastMs === 0 ? 0 : (lastBytes * 8000) / lastMs,
  }
}

function pause(delayMs: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, delayMs))
}
