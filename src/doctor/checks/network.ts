// Ports and the hosts that the configuration names. Pure: facts in, findings out.
import { FAILURE_WORDS } from '../../swarm/dial-failure.js'
import { type Finding, fail, ok, warn } from '../finding.js'
import { countText } from '../sizes.js'

export interface PortFacts {
  /** The key that names it. */
  readonly key: string
  /** 0: any free one. */
  readonly port: number
  /** The address it listens on; undefined: all. */
  readonly host: string | undefined
  readonly state:
    | { readonly type: 'free' | 'forbidden' | 'no-address' | 'any' }
    /** In use; by whom as far as that can be seen. */
    | { readonly type: 'taken'; readonly by: string | undefined }
    /** By the daemon of this configuration. */
    | { readonly type: 'ours' }
    /** The daemon runs and listens elsewhere. */
    | { readonly type: 'not-ours'; readonly by: string | undefined }
}

export function checkPort({ key, port, host, state }: PortFacts): Finding[] {
  const at = host === undefined ? `port ${port}` : `port ${port} of ${host}`
  switch (state.type) {
    case 'any':
      return [ok('port', 'any free port, which is then kept')]
    case 'free':
      return [ok('port', `${at} is free`)]
    case 'ours':
      return [ok('port', `${at} is the daemon's`)]
    case 'forbidden':
      return [fail('port', `${at} is only for root`, `choose a port above 1023 for ${key}`)]
    case 'no-address':
      return [
        fail(
          'port',
          `${host} is no address of this machine`,
          'see ip addr; in the configuration listen_host, the tag that binds it, or webui.listen',
        ),
      ]
    case 'taken':
      return [
        fail(
          'port',
          `${at} is in use${state.by === undefined ? '' : ` by ${state.by}`}`,
          `choose another one for ${key}, or stop the other program`,
        ),
      ]
    case 'not-ours':
      return [
        warn(
          'port',
          `the daemon runs and does not listen on ${at}${state.by === undefined ? '' : `, which ${state.by} has`}`,
          `${key} was changed: restart the daemon`,
        ),
      ]
  }
}

export interface HostFacts {
  /** "host:port", as the configuration names it. */
  readonly address: string
  readonly result:
    | { readonly type: 'connected'; readonly tookMs: number }
    /** The daemon has a connection there now. */
    | { readonly type: 'member' }
    /** `detail`: why, where the code says too little. */
    | { readonly type: 'failed'; readonly code: string; readonly detail?: string }
}

export function checkHosts(hosts: readonly HostFacts[]): Finding[] {
  if (hosts.length === 0) return []
  const failed = hosts.filter(({ result }) => result.type === 'failed')
  const reached = hosts.length - failed.length
  const findings: Finding[] = failed.map(({ address, result }) => {
    const { code, detail } = result.type === 'failed' ? result : { code: '' }
    return warn('known-hosts', `${address}: ${detail ?? FAILURE_WORDS[code] ?? code}`, todoOf(code))
  })
  if (reached > 0)
    findings.unshift(
      ok('known-hosts', `${reached} of ${countText(hosts.length, 'known host')} can be reached`),
    )
  return findings
}

function todoOf(code: string): string {
  if (code === 'ECONNREFUSED') return 'is its daemon running, on that port?'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'see how the name is written, and /etc/resolv.conf'
  if (code === 'PROXY') return 'see docs/proxies.md; nothing was tried past the proxy'
  return 'is that machine on, and does a firewall let TCP through to that port?'
}
