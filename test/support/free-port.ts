// Ports for daemons of tests.
import dgram from 'node:dgram'
import net from 'node:net'

/** Below those that outgoing connections take. */
const FIRST_PORT = 15_000
const PORTS = 17_000
/** Of processes that run at the same time: what one has found free and does not listen on yet, no other one is to find. */
const APART = 97
let portsTaken = 0

/** A TCP and UDP port of 127.0.0.1 that nobody listens on, and that was not given before. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + ((process.pid * APART + portsTaken++) % PORTS)
    if ((await isFreeForTcp(port)) && (await isFreeForUdp(port))) return port
  }
}

function isFreeForTcp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

function isFreeForUdp(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = dgram.createSocket('udp4')
    socket.once('error', () => socket.close(() => resolve(false)))
    socket.bind(port, '127.0.0.1', () => socket.close(() => resolve(true)))
  })
}
