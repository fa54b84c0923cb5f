// A node of a private DHT: it helps others find each other and keeps nothing but short-lived announcements of public
// keys under topics. A private DHT needs at least two such nodes, better three; one alone connects nobody.

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

const CLOSE_TIMEOUT_MS = 1_500

/** Runs a node until closed. @throws ShoalError PORT_IN_USE, IO */
export async function runDhtNode(options: DhtNodeOptions): Promise<DhtNode> {
  const { port, log } = options
  const host = await ipv4Of(options.host)
  const bootstrap = options.bootstrap.map((node) => ({ host: node.host, port: node.port }))
  const common = { host, bootstrap, ephemeral: false, firewalled: false, anyPort: false }
  const node =
    port !== 0 && host !== '0.0.0.0'
      ? HyperDHT.bootstrapper(port, host, common)
      : new HyperDHT({ ...common, port: port === 0 ? [0, 0] : [port, port + 1] })
  try {
    await node.bind()
  } catch (cause) {
    const isInUse = cause instanceof Error && (cause as NodeJS.ErrnoException).code === 'EADDRINUSE'
    const why = isInUse ? 'it is in use' : cause instanceof Error ? cause.message : String(cause)
    throw new ShoalError(isInUse ? 'PORT_IN_USE' : 'IO', `cannot listen on UDP port ${port}: ${why}`, {
      cause,
    })
  }
  const address = { host, port: node.address()?.port ?? port }
  log.info({ host: address.host, port: address.port }, 'DHT node is up')
  return { address, close: () => closeDht(node, log) }
}

/** Closes politely, then forcibly, and gives up after a while rather than hold up the daemon. Never rejects. */
export async function closeDht(
  node: { destroy(options?: { force?: boolean }): Promise<void> },
  log: Log,
): Promise<void> {
  for (const force of [false, true]) {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), CLOSE_TIMEOUT_MS)
    })
    const closed = node.destroy({ force }).then(
      () => 'closed',
      (err: unknown) => {
        log.debug({ err, force }, 'the DHT did not close cleanly')
        return 'failed'
      },
    )
    const outcome = await Promise.race([closed, late])
    clearTimeout(timer)
    if (outcome === 'closed') return
  }
  log.warn({}, 'the DHT did not close in time')
}

async function ipv4Of(host: string): Promise<string> {
  if (isIPv4(host)) return host
  try {
    return (await lookup(host, { family: 4 })).address
  } catch (cause) {
    throw new ShoalError('IO', `cannot listen on "${host}": it has no IPv4 address`, { cause })
  }
}
