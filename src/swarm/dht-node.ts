// A node of a private DHT: it helps others find each other and keeps nothing but short-lived announcements of public
// keys under topics. A private DHT needs at least two such nodes, better three; one alone connects nobody.

import { createSocket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { isIPv4 } from 'node:net'
import HyperDHT from 'hyperdht'
import { ShoalError } from '../core/error.js'
import type { Log } from '../ports/log.js'
import type { Endpoint } from './endpoint.js'

export interface DhtNodeOptions {
  /** IPv4 address or a name of one; '0.0.0.0' for all. */
  readonly host: string
  /** UDP port, 0 for any free one. */
  readonly port: number
  /** Other nodes; may be empty, and may contain this node itself. */
  readonly bootstrap: readonly Endpoint[]
  readonly log: Log
}

export interface DhtNode {
  readonly address: Endpoint
  close(): Promise<void>
}

/** Time for taking announcements back, and again for closing sockets. */
const CLOSE_TIMEOUT_MS = 1_000
/** How often a node that has met no other asks again; nodes of one network are started in any order. */
const ASK_AGAIN_MS = 10_000

/** Runs a node until closed. @throws ShoalError PORT_IN_USE, IO */
export async function runDhtNode(options: DhtNodeOptions): Promise<DhtNode> {
  const { log } = options
  const host = await ipv4Of(options.host)
  const port = await usableUdpPort(host, options.port)
  const bootstrap = options.bootstrap.map((node) => ({ host: node.host, port: node.port }))
  const common = { host, bootstrap, ephemeral: false, firewalled: false, anyPort: false }
  // A node serves others only once it knows its own address: given here, or else learnt from their answers.
  const node =
    host === '0.0.0.0'
      ? new HyperDHT({ ...common, port: [port, port + 1] })
      : HyperDHT.bootstrapper(port, host, { ...common, port: [port, port + 1] })
  try {
    await node.bind()
  } catch (cause) {
    // Its timers run although its sockets do not.
    await inTime(node.destroy({ force: true }), log)
    throw bindError(port, cause)
  }
  const timer = setInterval(() => {
    if (bootstrap.length > 0 && node.toArray().length === 0) node.refresh()
    if (node.ephemeral)
      node._updateNetworkState().catch((err: unknown) => log.debug({ err }, 'DHT node does not serve yet'))
  }, ASK_AGAIN_MS)
  timer.unref()
  log.info({ host, port }, 'DHT node is up')
  const close = (): Promise<void> => {
    clearInterval(timer)
    return closeDht(node, undefined, log)
  }
  return { address: { host, port }, close }
}

/**
 * Closes a DHT: politely first, then forcibly, and gives up after a while rather than hold up the daemon. Never rejects.
 * `polite` takes announcements back and closes what is above the DHT; with unreachable nodes it waits for ever.
 */
export async function closeDht(
  dht: HyperDHT,
  polite: (() => Promise<void>) | undefined,
  log: Log,
): Promise<void> {
  const isPolite = await inTime(polite?.() ?? dht.destroy(), log)
  if (!isPolite && !(await inTime(dht.destroy({ force: true }), log)))
    log.warn({}, 'the DHT did not close in time')
}

/** Whether it finished in time. */
async function inTime(closing: Promise<void>, log: Log): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), CLOSE_TIMEOUT_MS)
  })
  const closed = closing.then(
    () => true,
    (err: unknown) => {
      log.debug({ err }, 'the DHT did not close cleanly')
      return false
    },
  )
  const isClosed = await Promise.race([closed, late])
  clearTimeout(timer)
  return isClosed
}

/**
 * The UDP port to use: hyperdht reads 0 as its own default port, and when it cannot bind it never lets go of what watches
 * the network interfaces, so both are settled before it sees the port.
 */
function usableUdpPort(host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = createSocket('udp4')
    socket.once('error', (cause) => reject(bindError(port, cause)))
    socket.bind({ port, address: host, exclusive: true }, () => {
      const bound = socket.address().port
      socket.close(() => resolve(bound))
    })
  })
}

function bindError(port: number, cause: unknown): ShoalError {
  const isInUse = cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
  const why = isInUse ? 'it is in use' : cause instanceof Error ? cause.message : String(cause)
  const message = `cannot listen on UDP port ${port}: ${why}`
  return new ShoalError(isInUse ? 'PORT_IN_USE' : 'IO', message, { cause })
}

async function ipv4Of(host: string): Promise<string> {
  if (isIPv4(host)) return host
  try {
    return (await lookup(host, { family: 4 })).address
  } catch (cause) {
    throw new ShoalError('IO', `cannot listen on "${host}": it has no IPv4 address`, { cause })
  }
}
