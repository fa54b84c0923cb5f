// The proxy of a configuration: what goes through it, and whether it does its work. Pure: facts in, findings out.
import type { ProxyStanding } from '../../swarm/proxy-dial.js'
import { type Finding, fail, ok } from '../finding.js'

export interface ProxyFacts {
  readonly standing: ProxyStanding
  /** Whether nothing goes past it. */
  readonly hidden: boolean
}

export function checkProxy({ standing, hidden }: ProxyFacts): Finding[] {
  const { name, problem, hasAnswered } = standing
  if (problem !== undefined)
    return [
      fail(
        'proxy',
        `${problem}; nobody is reached but who announces itself on the local network`,
        'is it running, at that address and port, with that name and password? nothing goes past it (docs/proxies.md)',
      ),
    ]
  const beside = hidden
    ? 'nothing goes past it: no DHT, no port of the router, no address of ours is told'
    : 'the DHT and the port of the router go past it (proxy_allow_direct)'
  const found = hasAnswered
    ? 'it answers'
    : 'somebody answers there; there is no relay or known host to ask it for, so that is all that is known'
  return [ok('proxy', `TCP connections to others go through the ${name}: ${found}; ${beside}`)]
}
