// A private DHT of real `shoal dht` processes on loopback; they end with their world.
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { World } from './daemons.js'

/** Starts `shoal dht` nodes, each knowing the ones before; their addresses. */
export async function privateDht(world: World, count: number): Promise<string[]> {
  const addresses: string[] = []
  for (let i = 0; i < count; i++) {
    const known = addresses.flatMap((address) => ['--bootstrap', address])
    const child: ChildProcess = world.spawn(['dht', '--listen', '127.0.0.1:0', ...known])
    child.stderr!.resume()
    const [line] = (await once(child.stdout!.setEncoding('utf8'), 'data')) as [string]
    addresses.push(line.trim())
  }
  return addresses
}
