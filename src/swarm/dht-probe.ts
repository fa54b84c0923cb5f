// Asks a DHT how the network before us looks to it: a node that stays for some seconds, announces nothing and serves nobody.
import HyperDHT from 'hyperdht'
import type { Log } from '../ports/log.js'
import { type DhtView, viewOf } from './dht.js'
import { closeDht } from './dht-node.js'
import { endpointOf } from './endpoint.js'
import type { Bootstrap } from './public-dht.js'

/** Bootstrap nodes that are silent take 6 s to be given up. */
const ANSWER_MS = 8_000

/** @param host IPv4 address to ask from; undefined: all. Never rejects for a network that does not answer. */
export async function probeDht(bootstrap: Bootstrap, host: string | undefined, log: Log): Promise<DhtView> {
  const dht = new HyperDHT({
    bootstrap: bootstrap === 'public' ? HyperDHT.BOOTSTRAP : bootstrap.map(endpointOf),
    port: [0, 0],
    ...(host === undefined ? {} : { host }),
  })
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ANSWER_MS)
  })
  const asked = dht.fullyBootstrapped().catch((err: unknown) => log.debug({ err }, 'the DHT does not answer'))
  await Promise.race([asked, late])
  clearTimeout(timer)
  const view = viewOf(dht)
  await closeDht(dht, undefined, log)
  return view
}
