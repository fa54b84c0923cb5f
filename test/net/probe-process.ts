// Finds out how a NAT behaves, as RFC 5780 does with STUN: a server on two addresses with two ports each says from where a
// packet reached it, and answers from whichever of the four it is asked to.
//   probe-process.js serve A1 A2              serves until its input ends; says "ready"
//   probe-process.js ask A1 A2                one line of JSON, NatBehaviour
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'

/** Of RFC 4787, section 4.1 and 5. */
export type Dependence = 'endpoint-independent' | 'address-dependent' | 'address and port-dependent'

export interface NatBehaviour {
  readonly mapping: Dependence
  readonly filtering: Dependence
  /** Whether packets arrive from another address than they were sent from. */
  readonly isTranslated: boolean
}

interface Question {
  readonly id: number
  /** From which of the four places to answer. */
  readonly from: readonly [address: 0 | 1, port: 0 | 1]
}

const PORTS = [3478, 3479] as const
const ANSWER_MS = 500
const TRIES = 2

const [mode, ...addresses] = process.argv.slice(2)
if (mode === 'serve') await serve(addresses)
else if (mode === 'ask') console.log(JSON.stringify(await ask(addresses)))
process.exit(0)

async function serve(places: readonly string[]): Promise<void> {
  const sockets = await Promise.all(
    places.map((host) => Promise.all(PORTS.map((port) => boundSocket(port, host)))),
  )
  for (const socket of sockets.flat())
    socket.on('message', (packet, { address, port }) => {
      const { id, from } = JSON.parse(packet.toString()) as Question
      sockets[from[0]]![from[1]]!.send(JSON.stringify({ id, seen: `${address}:${port}` }), port, address)
    })
  console.log('ready')
  process.stdin.resume()
  await once(process.stdin, 'end')
}

async function ask(places: readonly string[]): Promise<NatBehaviour> {
  const own = await boundSocket(0)
  const first = await question(own, places[0]!, PORTS[0], [0, 0])
  const otherPort = await question(own, places[0]!, PORTS[1], [0, 1])
  const otherAddress = await question(own, places[1]!, PORTS[0], [1, 0])
  if (first === undefined) throw new Error('no answer at all')
  const mapping: Dependence =
    first === otherAddress && first === otherPort
      ? 'endpoint-independent'
      : first === otherPort
        ? 'address-dependent'
        : 'address and port-dependent'
  own.close()
  // Each with a socket that has written to nobody else, which would let them in.
  const fromAddress = await question(await boundSocket(0), places[0]!, PORTS[0], [1, 1])
  const fromPort = await question(await boundSocket(0), places[0]!, PORTS[0], [0, 1])
  const filtering: Dependence =
    fromAddress !== undefined
      ? 'endpoint-independent'
      : fromPort !== undefined
        ? 'address-dependent'
        : 'address and port-dependent'
  const inside = await localAddress(places[0]!)
  return { mapping, filtering, isTranslated: !first.startsWith(`${inside}:`) }
}

/** From where the server saw us; undefined if no answer came. */
async function question(
  socket: Socket,
  host: string,
  port: number,
  from: Question['from'],
): Promise<string | undefined> {
  const id = Math.floor(Math.random() * 2 ** 32)
  for (let i = 0; i < TRIES; i++) {
    const answer = new Promise<string | undefined>((resolve) => {
      const timer = setTimeout(() => done(undefined), ANSWER_MS)
      const done = (seen: string | undefined): void => {
        clearTimeout(timer)
        socket.removeListener('message', onMessage)
        resolve(seen)
      }
      const onMessage = (packet: Buffer): void => {
        const said = JSON.parse(packet.toString()) as { id: number; seen: string }
        if (said.id === id) done(said.seen)
      }
      socket.on('message', onMessage)
    })
    socket.send(JSON.stringify({ id, from } satisfies Question), port, host)
    const seen = await answer
    if (seen !== undefined) return seen
  }
  return undefined
}

async function localAddress(towards: string): Promise<string> {
  const socket = createSocket('udp4')
  socket.connect(PORTS[0], towards)
  await once(socket, 'connect')
  const { address } = socket.address()
  socket.close()
  return address
}

async function boundSocket(port: number, host?: string): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.bind(port, host)
  await once(socket, 'listening')
  return socket
}
