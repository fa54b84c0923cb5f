// One TCP connection that carries so many bytes, to compare daemons with: what the same kernel does on the same line.
//   bare-tcp-process.js send HOST BYTES     sends to the first that connects, and ends; says "ready"
//   bare-tcp-process.js receive HOST        one number: bits a second, from an eighth of all bytes to the last of them
import { once } from 'node:events'
import net from 'node:net'

const PORT = 7008

const [mode, host = '', bytes = '0'] = process.argv.slice(2)
if (mode === 'send') await send(Number(bytes))
else await receive()

async function send(length: number): Promise<void> {
  const server = net.createServer((socket) => {
    server.close()
    const head = Buffer.alloc(8)
    head.writeDoubleBE(length)
    socket.write(head)
    socket.end(Buffer.alloc(length))
  })
  server.listen(PORT, host)
  await once(server, 'listening')
  console.log('ready')
  await once(server, 'close')
}

async function receive(): Promise<void> {
  const socket = net.connect(PORT, host)
  let length = Number.POSITIVE_INFINITY
  let received = 0
  let from: { readonly received: number; readonly atMs: number } | undefined
  let head = Buffer.alloc(0)
  for await (const part of socket as AsyncIterable<Buffer>) {
    received += part.length
    if (head.length < 8) {
      head = Buffer.concat([head, part]).subarray(0, 8)
      if (head.length === 8) length = 8 + head.readDoubleBE()
    }
    if (received >= length / 8) from ??= { received, atMs: performance.now() }
  }
  if (received !== length || from === undefined) throw new Error(`${received} of ${length} bytes came`)
  console.log(((received - from.received) * 8000) / (performance.now() - from.atMs))
}
