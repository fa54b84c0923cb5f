// Mocks of home routers on loopback, by the letters of RFC 6886 (NAT-PMP), RFC 6887 (PCP) and UPnP-IGD, written without
// the package that they are there to test. They open nothing; they note what they were asked.
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { EventEmitter, once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { TestContext } from 'node:test'
import type { GivenGateway } from '../../src/nat/mapper.js'

/** Ours and the router's address on loopback, which the kernel gives to anybody. */
export const OURS = '127.0.0.1'
export const ROUTER = '127.0.0.2'

export interface Asked {
  readonly by: 'pcp' | 'natpmp' | 'upnp'
  readonly what: 'map' | 'unmap' | 'address' | 'verify'
  readonly internalPort?: number
  readonly externalPort?: number
  readonly lifetime?: number
}

export interface MockOptions {
  /** What the router speaks; without any it never answers. */
  readonly speaks: readonly ('pcp' | 'natpmp' | 'upnp')[]
  /** What it calls its outside; any text for UPnP. */
  readonly externalHost?: string
  /** The port it opens for the one asked for; undefined: it refuses. */
  readonly grants?: (externalPort: number) => number | undefined
  /** Seconds that PCP and NAT-PMP grant. */
  readonly lifetime?: number
  /** Where the description of UPnP is said to be, instead of where it is. */
  readonly location?: string
  /** The body of every HTTP answer, instead of a sound one. */
  readonly body?: string
}

/** A router; emits 'asked' for each request that it understood. */
export class MockRouter extends EventEmitter<{ asked: [asked: Asked] }> {
  readonly asked: Asked[] = []
  readonly gateway: GivenGateway
  externalHost: string
  /** Answers PCP and NAT-PMP with bytes that mean nothing. */
  garbage: boolean = false
  /** TCP ports that are open: external to internal. */
  readonly table: Map<number, number> = new Map()
  readonly #options: MockOptions
  readonly #pmp: Socket
  readonly #ssdp: Socket
  readonly #http: Server

  static async open(t: TestContext, options: MockOptions): Promise<MockRouter> {
    const [pmp, ssdp] = [createSocket('udp4'), createSocket('udp4')]
    const http = createServer()
    pmp.bind(0, ROUTER)
    ssdp.bind(0, ROUTER)
    http.listen(0, ROUTER)
    await Promise.all([once(pmp, 'listening'), once(ssdp, 'listening'), once(http, 'listening')])
    const router = new MockRouter(options, pmp, ssdp, http)
    t.after(() => router.close())
    return router
  }

  private constructor(options: MockOptions, pmp: Socket, ssdp: Socket, http: Server) {
    super()
    this.#options = options
    this.#pmp = pmp
    this.#ssdp = ssdp
    this.#http = http
    this.externalHost = options.externalHost ?? '203.0.113.7'
    this.gateway = {
      address: ROUTER,
      local: { address: OURS, netmask: '255.0.0.0' },
      pmpPort: pmp.address().port,
      ssdpPort: ssdp.address().port,
    }
    pmp.on('message', (bytes, from) => this.#onPmp(bytes, from))
    ssdp.on('message', (bytes, from) => this.#onSearch(bytes.toString(), from))
    http.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const [code, body] = this.#onHttp(request.url ?? '', Buffer.concat(chunks).toString())
        response.writeHead(code, { 'content-type': 'text/xml' }).end(this.#options.body ?? body)
      })
    })
  }

  close(): void {
    this.#pmp.close()
    this.#ssdp.close()
    this.#http.close()
    this.#http.closeAllConnections()
  }

  /** Resolves with the next request that matches. */
  async next(matches: Partial<Asked>): Promise<Asked> {
    for (;;) {
      const [asked] = (await once(this, 'asked')) as [Asked]
      if (isMatch(asked, matches)) return asked
    }
  }

  count(matches: Partial<Asked>): number {
    return this.asked.filter((asked) => isMatch(asked, matches)).length
  }

  /** Bytes to whoever sent something last. */
  send(bytes: Buffer, to: RemoteInfo): void {
    this.#pmp.send(bytes, to.port, to.address)
  }

  #note(asked: Asked): void {
    this.asked.push(asked)
    this.emit('asked', asked)
  }

  #grant(externalPort: number, internalPort: number): number | undefined {
    const granted = (this.#options.grants ?? ((port) => port))(externalPort)
    if (granted !== undefined) this.table.set(granted, internalPort)
    return granted
  }

  #onPmp(bytes: Buffer, from: RemoteInfo): void {
    const version = bytes.readUInt8(0)
    const { speaks } = this.#options
    if (this.garbage) {
      for (let length = 0; length < 64; length++)
        this.send(Buffer.alloc(length, length % 2 === 0 ? 0 : 0x82), from)
      this.#note({ by: 'natpmp', what: 'address' })
      return
    }
    if (version === 2 && speaks.includes('pcp')) this.#onPcp(bytes, from)
    else if (version === 0 && speaks.includes('natpmp')) this.#onNatPmp(bytes, from)
    // RFC 6886, 3.5: who speaks NAT-PMP alone says so to PCP.
    else if (version === 2 && speaks.includes('natpmp'))
      this.send(Buffer.from([0, bytes.readUInt8(1) | 0x80, 0, 1, 0, 0, 0, 9]), from)
  }

  #onPcp(bytes: Buffer, from: RemoteInfo): void {
    const lifetime = bytes.readUInt32BE(4)
    const [internalPort, externalPort] = [bytes.readUInt16BE(40), bytes.readUInt16BE(42)]
    const what = lifetime === 0 ? 'unmap' : 'map'
    this.#note({ by: 'pcp', what, internalPort, externalPort, lifetime })
    const granted = what === 'map' ? this.#grant(externalPort, internalPort) : this.#forget(internalPort)
    const answer = Buffer.alloc(60)
    bytes.copy(answer, 24, 24)
    answer.writeUInt8(2, 0)
    answer.writeUInt8(0x81, 1)
    answer.writeUInt8(granted === undefined ? 2 : 0, 3)
    answer.writeUInt32BE(
      granted === undefined ? 600 : lifetime === 0 ? 0 : (this.#options.lifetime ?? lifetime),
      4,
    )
    answer.writeUInt32BE(Math.floor(process.uptime()), 8)
    answer.writeUInt16BE(granted ?? 0, 42)
    Buffer.from([0xff, 0xff, ...this.#host()]).copy(answer, 54)
    this.send(answer, from)
  }

  #onNatPmp(bytes: Buffer, from: RemoteInfo): void {
    const epoch = Math.floor(process.uptime())
    if (bytes.readUInt8(1) === 0) {
      this.#note({ by: 'natpmp', what: 'address' })
      const answer = Buffer.alloc(12)
      answer.writeUInt8(128, 1)
      answer.writeUInt32BE(epoch, 4)
      Buffer.from(this.#host()).copy(answer, 8)
      this.send(answer, from)
      return
    }
    const [internalPort, externalPort] = [bytes.readUInt16BE(4), bytes.readUInt16BE(6)]
    const lifetime = bytes.readUInt32BE(8)
    const what = lifetime === 0 ? 'unmap' : 'map'
    this.#note({ by: 'natpmp', what, internalPort, externalPort, lifetime })
    const granted = what === 'map' ? this.#grant(externalPort, internalPort) : this.#forget(internalPort)
    const answer = Buffer.alloc(16)
    answer.writeUInt8(130, 1)
    answer.writeUInt16BE(granted === undefined ? 2 : 0, 2)
    answer.writeUInt32BE(epoch, 4)
    answer.writeUInt16BE(internalPort, 8)
    answer.writeUInt16BE(what === 'unmap' ? 0 : (granted ?? 0), 10)
    answer.writeUInt32BE(lifetime === 0 ? 0 : (this.#options.lifetime ?? lifetime), 12)
    this.send(answer, from)
  }

  #host(): number[] {
    return this.externalHost.split('.').map(Number)
  }

  #forget(internalPort: number): number {
    for (const [external, internal] of this.table) if (internal === internalPort) this.table.delete(external)
    return 0
  }

  #onSearch(text: string, from: RemoteInfo): void {
    if (!this.#options.speaks.includes('upnp') || !text.includes('InternetGatewayDevice:1')) return
    const { port } = this.#http.address() as { port: number }
    const answer = [
      'HTTP/1.1 200 OK',
      'CACHE-CONTROL: max-age=120',
      'ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1',
      'USN: uuid:11111111-2222-3333-4444-555555555555::urn:schemas-upnp-org:device:InternetGatewayDevice:1',
      'EXT:',
      'SERVER: mock/1.0 UPnP/1.1 mock/1.0',
      `LOCATION: ${this.#options.location ?? `http://${ROUTER}:${port}/desc.xml`}`,
      '',
      '',
    ]
    this.#ssdp.send(answer.join('\r\n'), from.port, from.address)
  }

  #onHttp(url: string, body: string): [code: number, body: string] {
    if (url === '/desc.xml') return [200, DESCRIPTION]
    const [, action = ''] = /<u:(\w+)/.exec(body) ?? []
    const number = (name: string): number => Number(new RegExp(`<${name}>(\\d+)<`).exec(body)?.[1] ?? 0)
    const externalPort = number('NewExternalPort')
    switch (action) {
      case 'AddPortMapping': {
        const internalPort = number('NewInternalPort')
        this.#note({
          by: 'upnp',
          what: 'map',
          internalPort,
          externalPort,
          lifetime: number('NewLeaseDuration'),
        })
        // IGD:1 gives the port that was asked for, or says that it is taken (718), or refuses (606).
        const granted = (this.#options.grants ?? ((port) => port))(externalPort)
        if (granted === undefined) return [500, fault(606)]
        if (granted !== externalPort) return [500, fault(718)]
        this.table.set(externalPort, internalPort)
        return [200, answerTo(action, '')]
      }
      case 'DeletePortMapping':
        if (!/<NewProtocol>TCP</.test(body) || !this.table.delete(externalPort)) return [500, fault(714)]
        this.#note({ by: 'upnp', what: 'unmap', externalPort })
        return [200, answerTo(action, '')]
      case 'GetExternalIPAddress':
        this.#note({ by: 'upnp', what: 'address' })
        return [200, answerTo(action, `<NewExternalIPAddress>${this.externalHost}</NewExternalIPAddress>`)]
      case 'GetSpecificPortMappingEntry': {
        this.#note({ by: 'upnp', what: 'verify', externalPort })
        const internalPort = this.table.get(externalPort)
        if (internalPort === undefined) return [500, fault(714)]
        const entry = `<NewInternalPort>${internalPort}</NewInternalPort><NewInternalClient>${OURS}</NewInternalClient>`
        return [
          200,
          answerTo(action, `${entry}<NewEnabled>1</NewEnabled><NewLeaseDuration>60</NewLeaseDuration>`),
        ]
      }
      default:
        return [500, fault(401)]
    }
  }
}

const SERVICE = 'urn:schemas-upnp-org:service:WANIPConnection:1'
const DESCRIPTION = `<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0"><specVersion><major>1</major><minor>0</minor></specVersion>
<device><deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType><friendlyName>mock</friendlyName>
<manufacturer>mock</manufacturer><modelName>mock</modelName><UDN>uuid:11111111-2222-3333-4444-555555555555</UDN><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANDevice:1</deviceType><UDN>uuid:2</UDN><deviceList><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><UDN>uuid:3</UDN><serviceList><service>
<serviceType>${SERVICE}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId><SCPDURL>/scpd.xml</SCPDURL>
<controlURL>/control</controlURL><eventSubURL>/event</eventSubURL></service></serviceList></device></deviceList></device></deviceList>
</device></root>`

function envelope(content: string): string {
  return `<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" s:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>${content}</s:Body></s:Envelope>`
}

function answerTo(action: string, content: string): string {
  return envelope(`<u:${action}Response xmlns:u="${SERVICE}">${content}</u:${action}Response>`)
}

function fault(code: number): string {
  return envelope(
    `<s:Fault><faultcode>s:Client</faultcode><faultstring>UPnPError</faultstring><detail><UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>${code}</errorCode><errorDescription>mock</errorDescription></UPnPError></detail></s:Fault>`,
  )
}

function isMatch(asked: Asked, matches: Partial<Asked>): boolean {
  return Object.entries(matches).every(([key, value]) => asked[key as keyof Asked] === value)
}
