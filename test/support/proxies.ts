// Proxies on loopback that do what a test says: SOCKS4, SOCKS5 and HTTP CONNECT, as their RFCs have them and not as our
// side writes them.
import { createServer as createHttp } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

export interface ProxyRules {
  /** Names that only the proxy can resolve, and what they stand for. */
  readonly names?: Readonly<Record<string, string>>
  /** Without it, nobody is asked. */
  readonly login?: { readonly name: string; readonly password: string }
  /** Hosts it will not connect to. */
  readonly refused?: readonly string[]
}

export interface TestProxy {
  readonly port: number
  /** "host:port" of each target, as it was asked for. */
  readonly asked: string[]
  close(): Promise<void>
}

type Connect = (host: string, port: number) => Promise<Socket | undefined>

/** SOCKS4, 4A and 5 on one port. */
export function socksProxy(rules: ProxyRules = {}): Promise<TestProxy> {
  return open(rules, (reach) =>
    createServer((socket) => void serveSocks(socket, rules, reach).catch(() => socket.destroy())),
  )
}

export function httpProxy(rules: ProxyRules = {}): Promise<TestProxy> {
  return open(rules, (reach) => {
    const server = createHttp()
    server.on('connect', async (request, socket: Socket, head: Buffer) => {
      socket.on('error', () => undefined)
      const { login } = rules
      const wanted = login && `Basic ${Buffer.from(`${login.name}:${login.password}`).toString('base64')}`
      if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
        socket.end(
          'HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="x"\r\n\r\n',
        )
        return
      }
      const { hostname, port } = new URL(`http://${request.url}`)
      const far = await reach(hostname.replace(/^\[(.*)\]$/, '$1'), Number(port || 80))
      if (far === undefined) {
        socket.end('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n')
        return
      }
      far.write(head)
      // With the answer, in one write, what the target says first.
      far.once('data', (first: Buffer) => {
        socket.write(Buffer.concat([Buffer.from('HTTP/1.1 200 Connection established\r\n\r\n'), first]))
        join(socket, far)
      })
    })
    return server
  })
}

/** Takes connections and does that with each. */
export function oddProxy(serve: (socket: Socket) => void): Promise<TestProxy> {
  return open({}, () => createServer(serve))
}

async function open(rules: ProxyRules, make: (reach: Connect) => Server): Promise<TestProxy> {
  const asked: string[] = []
  const sockets = new Set<Socket>()
  const reach: Connect = (host, port) => {
    asked.push(`${host}:${port}`)
    if (rules.refused?.includes(host) === true) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const far = connect({ host: rules.names?.[host] ?? host, port })
      sockets.add(far)
      far.once('connect', () => resolve(far))
      far.once('error', () => resolve(undefined))
    })
  }
  const server = make(reach)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resolve())
      }),
  }
}

async function serveSocks(socket: Socket, rules: ProxyRules, reach: Connect): Promise<void> {
  const read = reader(socket)
  const version = (await read(1))[0]
  if (version === 4) await serveSocks4(socket, read, reach)
  else if (version === 5) await serveSocks5(socket, read, rules, reach)
  else socket.destroy()
}

async function serveSocks4(socket: Socket, read: Read, reach: Connect): Promise<void> {
  const head = await read(7)
  await readText(read)
  const isName = head[3] === 0 && head[4] === 0 && head[5] === 0
  const host = isName ? await readText(read) : [...head.subarray(3, 7)].join('.')
  const far = await reach(host, head.readUInt16BE(1))
  socket.write(Buffer.from([0, far === undefined ? 0x5b : 0x5a, 0, 0, 0, 0, 0, 0]))
  if (far === undefined) socket.end()
  else join(socket, far)
}

async function serveSocks5(socket: Socket, read: Read, { login }: ProxyRules, reach: Connect): Promise<void> {
  const methods = await read((await read(1))[0]!)
  const method = login === undefined ? 0 : 2
  if (!methods.includes(method)) {
    socket.end(Buffer.from([5, 0xff]))
    return
  }
  socket.write(Buffer.from([5, method]))
  if (login !== undefined) {
    await read(1)
    const name = String(await read((await read(1))[0]!))
    const password = String(await read((await read(1))[0]!))
    const isRight = name === login.name && password === login.password
    socket.write(Buffer.from([1, isRight ? 0 : 1]))
    if (!isRight) {
      socket.end()
      return
    }
  }
  const type = (await read(4))[3]
  const host =
    type === 1
      ? [...(await read(4))].join('.')
      : type === 4
        ? groupsOf(await read(16))
        : String(await read((await read(1))[0]!))
  const far = await reach(host, (await read(2)).readUInt16BE(0))
  socket.write(Buffer.from([5, far === undefined ? 5 : 0, 0, 1, 0, 0, 0, 0, 0, 0]))
  if (far === undefined) socket.end()
  else join(socket, far)
}

function groupsOf(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(2 * at).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

function join(one: Socket, other: Socket): void {
  for (const socket of [one, other]) socket.on('error', () => undefined)
  one.pipe(other)
  other.pipe(one)
  one.on('close', () => other.destroy())
  other.on('close', () => one.destroy())
}

type Read = (bytes: number) => Promise<Buffer>

function reader(socket: Socket): Read {
  return async (bytes) => {
    for (;;) {
      const chunk: Buffer | null = bytes === 0 ? Buffer.alloc(0) : socket.read(bytes)
      if (chunk !== null) return chunk
      await new Promise((resolve, reject) => {
        socket.once('readable', resolve)
        socket.once('close', () => reject(new Error('closed')))
      })
    }
  }
}

async function readText(read: Read): Promise<string> {
  let text = ''
  for (;;) {
    const byte = (await read(1))[0]!
    if (byte === 0) return text
    text += String.fromCharCode(byte)
  }
}
