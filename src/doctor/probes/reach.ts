// What stands between this machine and others, as far as it can be seen from here. Asks the router and the DHT of the
// configuration, and nobody else, and takes back what it had them do.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import { join } from 'node:path'
import type { MappingReport, NetworkReport } from '../../control/schema-network.js'
import { silentLog } from '../../ports/log.js'
import type { FirewallFacts } from '../checks/reach.js'

const NFT_MS = 2_000
/** PCP, NAT-PMP and UPnP in turn, on a router that answers nothing. */
const MAPPING_MS = 20_000

/** IP addresses without loopback, each once. */
export function ownAddresses(): string[] {
  const all = Object.values(os.networkInterfaces()).flatMap((each) => each ?? [])
  return [...new Set(all.filter(({ internal }) => !internal).map(({ address }) => address))]
}

export function firewallKind(): FirewallFacts['kind'] {
  if (/^ENABLED=yes$/m.test(textOf('/etc/ufw/ufw.conf'))) return 'ufw'
  if (fs.existsSync('/run/firewalld') || textOf('/run/firewalld.pid') !== '') return 'firewalld'
  const { status, stdout } = spawnSync('nft', ['-j', 'list', 'chains'], { encoding: 'utf8', timeout: NFT_MS })
  return status === 0 && dropsInput(stdout) ? 'drops' : 'none'
}

/** Whether a base chain for what comes in drops by default; `text`: of nft -j list chains. */
export function dropsInput(text: string): boolean {
  try {
    const { nftables } = JSON.parse(text) as { nftables?: { chain?: { hook?: string; policy?: string } }[] }
    return (nftables ?? []).some(({ chain }) => chain?.hook === 'input' && chain.policy === 'drop')
  } catch {
    // Another version of nft: then there is no hint.
    return false
  }
}

/** The port that was picked for listening_port 0, as the daemon has kept it. */
export function keptPort(storagePath: string): number | undefined {
  const [, port] = /"port"\s*:\s*(\d{1,5})/.exec(textOf(join(storagePath, 'identity.json'))) ?? []
  return port === undefined ? undefined : Number(port)
}

/** Has the router open the port and close it again. */
export async function tryMapping(options: {
  readonly port: number
  readonly externalPort: number
  readonly listenHost: string | undefined
}): Promise<MappingReport> {
  const { PortMapper } = await import('../../nat/mapper.js')
  const { port, externalPort, listenHost } = options
  let settle: () => void = () => undefined
  const settled = new Promise<void>((resolve) => {
    settle = resolve
  })
  const mapper = new PortMapper({
    ...{ internalPort: port, externalPort: externalPort === 0 ? port : externalPort, listenHost },
    log: silentLog,
    onChange: () => {
      if (mapper.state.type !== 'asking') settle()
    },
  })
  const timer = setTimeout(settle, MAPPING_MS)
  mapper.start()
  await settled
  clearTimeout(timer)
  const { state } = mapper
  await mapper.stop()
  const none = { gateway: null, via: null, externalHost: null, externalPort: null, reason: null }
  if (state.type === 'mapped') {
    const { gateway, via, externalHost } = state
    return {
      ...none,
      state: 'mapped',
      gateway,
      via,
      externalHost: externalHost ?? null,
      externalPort: state.externalPort,
    }
  }
  const reason = state.type === 'failed' ? state.reason : 'no answer in time'
  const gateway = state.type === 'off' ? null : (state.gateway ?? null)
  return { ...none, state: 'failed', gateway, reason }
}

/** Asks the DHT how it sees us; undefined: the public one, where the environment forbids it. */
export async function tryDht(
  bootstrap: readonly string[] | 'public',
  host: string | undefined,
): Promise<NetworkReport['dht'] | undefined> {
  const { isPublicDhtAllowed } = await import('../../swarm/public-dht.js')
  if (bootstrap === 'public' && !isPublicDhtAllowed(process.env)) return undefined
  const { probeDht } = await import('../../swarm/dht-probe.js')
  const { nodes, host: seen, port, nat } = await probeDht(bootstrap, host, silentLog)
  return {
    use: bootstrap === 'public' ? 'public' : 'own',
    nodes,
    host: seen ?? null,
    port: port ?? null,
    nat,
  }
}

function textOf(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch {
    // Not there, or not ours to read.
    return ''
  }
}
