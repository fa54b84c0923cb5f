// Whether a port can be had, and whether somebody answers at an address of the configuration. Connects to those addresses
// and nowhere else, through the proxy where there is one, says nothing there, and hangs up.
import net from 'node:net'
import { type ProxyDial, ProxyError } from '../../swarm/proxy-dial.js'
import type { HostFacts, PortFacts } from '../checks/network.js'
import { holderOf, listeners } from './kernel.js'

const CONNECT_MS = 3000
/** The way to the proxy, and its own to the host. */
const PROXIED_MS = 6000

/** Tries to listen for a moment, unless the daemon runs: then who listens is looked up. */
export async function portState(
  port: number,
  host: string | undefined,
  daemonPid: number | undefined,
): Promise<PortFacts['state']> {
  if (port === 0) return { type: 'any' }
  if (daemonPid !== undefined) {
    const inodes = listeners(port)
    const holder = inodes.length === 0 ? undefined : holderOf(inodes)
    if (holder?.pid === daemonPid) return { type: 'ours' }
    // Whose it is cannot be seen: nothing speaks against the daemon.
    if (inodes.length > 0 && holder === undefined) return { type: 'ours' }
    return { type: 'not-ours', by: nameOf(holder) }
  }
  const code = await listenFault(port, host)
  switch (code) {
    case undefined:
      return { type: 'free' }
    case 'EACCES':
      return { type: 'forbidden' }
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return { type: 'no-address' }
    default:
      return { type: 'taken', by: nameOf(holderOf(listeners(port))) }
  }
}

/** One connection; `members`: addresses that the daemon is connected with; `dial`: by which else it is made directly. */
export async function hostResult(
  { host, port }: { readonly host: string; readonly port: number },
  address: string,
  members: ReadonlySet<string>,
  dial?: ProxyDial,
): Promise<HostFacts['result']> {
  if (members.has(address)) return { type: 'member' }
  if (dial !== undefined) return proxiedResult({ host, port }, dial)
  const startMs = performance.now()
  return new Promise((resolve) => {
    const socket = net.connect({ host, port })
    const end = (result: HostFacts['result']): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(result)
    }
    const timer = setTimeout(() => end({ type: 'failed', code: 'TIMEOUT' }), CONNECT_MS)
    socket.once('connect', () => end({ type: 'connected', tookMs: performance.now() - startMs }))
    socket.once('error', (error: NodeJS.ErrnoException) => {
      // Of a name with several addresses, the first reason stands for all.
      const [first] = error instanceof AggregateError ? (error.errors as NodeJS.ErrnoException[]) : [error]
      end({ type: 'failed', code: first?.code ?? error.code ?? 'UNKNOWN' })
    })
  })
}

/** Nothing goes past the proxy, the question for a name neither. */
async function proxiedResult(
  endpoint: { readonly host: string; readonly port: number },
  dial: ProxyDial,
): Promise<HostFacts['result']> {
  const startMs = performance.now()
  try {
    const socket = await dial(endpoint, PROXIED_MS, new AbortController().signal)
    socket.destroy()
    return { type: 'connected', tookMs: performance.now() - startMs }
  } catch (thrown) {
    if (!(thrown instanceof ProxyError)) throw thrown
    return { type: 'failed', code: 'PROXY', detail: thrown.message }
  }
}

function listenFault(port: number, host: string | undefined): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'UNKNOWN'))
    server.listen({ port, ...(host !== undefined && { host }), exclusive: true }, () =>
      server.close(() => resolve(undefined)),
    )
  })
}

function nameOf(holder: { readonly pid: number; readonly name: string } | undefined): string | undefined {
  return holder === undefined ? undefined : `${holder.name} (process ${holder.pid})`
}
