// The thread that has the router open a port, with the protocols of the package port-mapper. A thread of its own, because
// it reads what a router or anybody on the local network sends: should that trip the package up, this thread ends, and not
// the daemon (mapper.ts). PCP is asked first, NAT-PMP by the same socket where PCP is not spoken, and UPnP-IGD at once beside
// them, used where they do not do it. Renewing is the package's; whether the router still knows, and its address, is asked
// here now and then.
import { isIP } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'
import { PMPSession, UPnPSession } from 'port-mapper'
import { assertSameVersion } from '../ports/thread-version.js'
import { gatewayHttp, gatewaySocket } from './gateway-io.js'
import type { MapOrder, Mapped, MappingWay, MapReport, MapWork } from './mapping.js'

/** What of a session is used here; the package declares less, and wider. */
interface Session {
  on(event: string, listener: (...args: readonly never[]) => void): void
  process_packet(bytes: Uint8Array, from: { readonly address: string; readonly port: number }): void
  listening?(): void
  map(asked: object, done: Done<SessionMapping>): void
  unmap(asked: object, done: Done<unknown>): void
  getExternalIp(done: Done<{ readonly externalIp: string | null } | null>): void
  destroy(): void
}

interface UpnpSession extends Session {
  discover(done: Done<unknown>): void
  verify(
    asked: object,
    done: Done<{ readonly present: boolean | null; readonly reason?: string | null }>,
  ): void
}

type Done<T> = (error: Error | null | undefined, value?: T) => void

interface SessionMapping {
  readonly via?: string
  readonly externalPort: number
  readonly externalIp?: string | null
}

interface Open {
  readonly session: Session
  readonly mapped: Mapped
}

/** Removing may take so long when the daemon stops; then the router forgets it by itself after a while. */
const REMOVE_MS = 1_500
/** An answer that this long nobody gives is not waited for. */
const ASK_MS = 20_000
const SSDP_GROUP = '239.255.255.250'
const SSDP_PORT = 1900

const work = workerData as MapWork
assertSameVersion(work)
const port = parentPort!
let open: Open | undefined

const common = { lifetime: work.lifetimeSeconds, description: 'shoal' }
const pmp = new PMPSession({
  ...common,
  gateway: work.gateway,
  clientIp: work.local.address,
  protocols: ['pcp', 'natpmp'],
  retransmitAttempts: work.attempts,
}) as unknown as Session
const upnp = new UPnPSession({
  ...common,
  localIp: work.local.address,
  netmask: work.local.netmask,
  gateway: work.gateway,
  http: gatewayHttp(work.gateway),
  searchTimeout: work.searchMs,
  ...(work.ssdpPort === undefined ? {} : { searchUnicast: work.gateway, searchPort: work.ssdpPort }),
}) as unknown as UpnpSession

port.on('message', (order: MapOrder) => {
  if (order.type === 'stop') void remove().finally(() => process.exit(0))
})
void run().catch((thrown: unknown) => giveUp(wordsOf(thrown)))

async function run(): Promise<void> {
  const { gateway, local } = work
  const pmpSocket = await gatewaySocket(local.address, gateway, (bytes, from) => {
    if (from.port === work.pmpPort) pmp.process_packet(bytes, from)
  })
  const ssdpSocket = await gatewaySocket(local.address, gateway, (bytes, from) =>
    upnp.process_packet(bytes, from),
  )
  ssdpSocket.setMulticastTTL(2)
  ssdpSocket.setMulticastInterface(local.address)
  pmp.on('packet', (bytes: Uint8Array) => pmpSocket.send(bytes, work.pmpPort, gateway))
  upnp.on('packet', (bytes: Uint8Array) =>
    work.ssdpPort === undefined
      ? ssdpSocket.send(bytes, SSDP_PORT, SSDP_GROUP)
      : ssdpSocket.send(bytes, work.ssdpPort, gateway),
  )
  for (const session of [pmp, upnp]) {
    session.on('lost', (_: never, reason: never) => onLost(session, String(reason)))
    for (const event of ['renewed', 'remapped'])
      session.on(event, (mapping: never) => onRenewed(session, mapping as SessionMapping))
  }
  pmp.listening?.()
  open = await openPort()
  report(open.mapped)
  setInterval(() => void check(), work.checkEveryMs)
}

async function openPort(): Promise<Open> {
  const asked = { protocol: 'tcp', internalPort: work.internalPort, externalPort: work.externalPort }
  const found = asking<unknown>((done) => upnp.discover(done))
  // Looked at below, if the router speaks neither of the others; until then it may fail with nobody waiting for it.
  found.catch(() => undefined)
  try {
    return { session: pmp, mapped: mappedOf(await asking((done) => pmp.map(asked, done)), 'natpmp') }
  } catch (thrown) {
    const byPmp = `PCP and NAT-PMP: ${wordsOf(thrown)}`
    try {
      await found
      const mapping = await asking<SessionMapping>((done) => upnp.map(asked, done))
      const externalIp = await externalIpOf(upnp)
      return { session: upnp, mapped: mappedOf({ ...mapping, externalIp: externalIp ?? null }, 'upnp') }
    } catch (second) {
      throw new Error(`${byPmp}; UPnP: ${wordsOf(second)}`)
    }
  }
}

function mappedOf(mapping: SessionMapping | undefined, otherwise: MappingWay): Mapped {
  const { externalPort, externalIp, via } = mapping ?? { externalPort: 0 }
  // The router's word, like all of it.
  if (!Number.isInteger(externalPort) || externalPort < 1 || externalPort > 65_535)
    throw new Error('the router says that it opened no port')
  const way = via === 'pcp' || via === 'natpmp' ? via : otherwise
  return { via: way, externalPort, externalHost: hostOf(externalIp) }
}

function hostOf(address: string | null | undefined): string | undefined {
  return typeof address === 'string' && isIP(address) !== 0 ? address : undefined
}

async function externalIpOf(session: Session): Promise<string | undefined> {
  try {
    const told = await asking<{ readonly externalIp: string | null } | null>((done) =>
      session.getExternalIp(done),
    )
    return hostOf(told?.externalIp)
  } catch {
    // A router may open ports and not tell its address: others see it when we connect to them.
    return undefined
  }
}

/** The router may have a new address, or have started anew and forgotten all: of UPnP nothing else would tell. */
async function check(): Promise<void> {
  if (open === undefined) return
  const { session, mapped } = open
  if (session === upnp) {
    const { externalPort } = mapped
    const internalIp = work.local.address
    // A router that does not answer has not said that the port is gone: it is asked again next time.
    const kept = await asking<{ readonly present: boolean | null; readonly reason?: string | null }>((done) =>
      upnp.verify({ protocol: 'tcp', externalPort, internalIp }, done),
    ).catch(() => undefined)
    if (kept?.present === false) {
      giveUp(kept.reason ?? 'the router has forgotten the port')
      return
    }
  }
  // PCP tells it with every renewal.
  if (mapped.via === 'pcp') return
  const externalHost = await externalIpOf(session)
  if (externalHost !== undefined && open?.session === session) change({ ...open.mapped, externalHost })
}

function onRenewed(session: Session, mapping: SessionMapping): void {
  if (open?.session !== session) return
  const { externalHost, via } = open.mapped
  change({ ...mappedOf(mapping, via), externalHost: hostOf(mapping.externalIp) ?? externalHost })
}

function onLost(session: Session, reason: string): void {
  // A router that has started anew is asked again by the package; any other loss is for who owns this thread.
  if (open?.session === session && reason !== 'gateway restarted') giveUp(`not renewed: ${reason}`)
}

function change(mapped: Mapped): void {
  const before = open
  if (before === undefined || JSON.stringify(before.mapped) === JSON.stringify(mapped)) return
  open = { ...before, mapped }
  report(mapped)
}

function report(mapped: Mapped): void {
  port.postMessage({ type: 'mapped', ...mapped } satisfies MapReport)
}

function giveUp(reason: string): void {
  port.postMessage({ type: 'failed', reason } satisfies MapReport)
  // What was posted is delivered first.
  void remove().finally(() => setImmediate(() => process.exit(0)))
}

async function remove(): Promise<void> {
  const { session, mapped } = open ?? {}
  open = undefined
  if (session === undefined || mapped === undefined) return
  const asked = { protocol: 'tcp', internalPort: work.internalPort, externalPort: mapped.externalPort }
  // At the end nothing can be done about a router that does not answer: the port closes with its lease.
  await asking((done) => session.unmap(asked, done), REMOVE_MS).catch(() => undefined)
}

/** One question of the package as a promise, which is rejected where nobody answers. */
function asking<T>(ask: (done: Done<T>) => void, timeoutMs = ASK_MS): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no answer')), timeoutMs)
    ask((error, value) => {
      clearTimeout(timer)
      if (error === null || error === undefined) resolve(value as T)
      else reject(error)
    })
  })
}

/** One line without control characters: parts of it come from the router. */
function wordsOf(thrown: unknown): string {
  const words = thrown instanceof Error ? thrown.message : String(thrown)
  return words.replace(/\p{C}+/gu, ' ').slice(0, 200)
}
