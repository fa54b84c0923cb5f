// A proxy as offices have them, for scenarios: SOCKS5 (RFC 1928, without authentication) and HTTP CONNECT on one port.
//   proxy-process.js HOST PORT         serves until it is ended; says "ready", then a line for each connection it makes
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

const SOCKS_VERSION = 5
const SUCCEEDED = Buffer.from([SOCKS_VERSION, 0, 0, 1, 0, 0, 0, 0, 0, 0])

const [host = '', port = ''] = process.argv.slice(2)
const server = createServer((client) => {
  client.on('error', () => client.destroy())
  serve(client).catch(() => client.destroy())
})
server.listen(Number(port), host)
await once(server, 'listening')
console.log('ready')

async function serve(client: Socket): Promise<void> {
  const first = await read(client)
  if (first[0] !== SOCKS_VERSION) {
    const target = /^CONNECT \[?([^\s\]]+)\]?:(\d+) HTTP\/1\.[01]\r\n/.exec(first.toString('latin1'))
    if (target === null) throw new Error('neither SOCKS5 nor CONNECT')
    return join(client, target[1]!, Number(target[2]), Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), 'CONNECT')
  }
  client.write(Buffer.from([SOCKS_VERSION, 0]))
  const request = await read(client)
  const type = request[3]
  const [address, end] =
    type === 1
      ? [[...request.subarray(4, 8)].join('.'), 8]
      : type === 3
        ? [request.toString('latin1', 5, 5 + request[4]!), 5 + request[4]!]
        : [request.subarray(4, 20).toString('hex').match(/.{4}/g)!.join(':'), 20]
  return join(client, address, request.readUInt16BE(end), SUCCEEDED, 'SOCKS5')
}

async function join(client: Socket, to: string, at: number, yes: Buffer, kind: string): Promise<void> {
  const target = connect({ host: to, port: at })
  target.on('error', () => client.destroy())
  await once(target, 'connect')
  console.log(`${kind} ${to}:${at}`)
  client.write(yes)
  client.pipe(target)
  target.pipe(client)
  for (const [one, other] of [
    [client, target],
    [target, client],
  ] as const)
    one.on('close', () => other.destroy())
}

/** The next bytes; what is asked of a proxy fits into one packet here. */
async function read(socket: Socket): Promise<Buffer> {
  const bytes = socket.read() as Buffer | null
  if (bytes !== null) return bytes
  await once(socket, 'readable')
  return (socket.read() as Buffer | null) ?? Buffer.alloc(0)
}
