// Asks from one host how whatever lies between it and a host of the internet translates and filters UDP.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Host, Lab } from './lab.js'
import type { NatBehaviour } from './probe-process.js'

const PROCESS = fileURLToPath(new URL('./probe-process.js', import.meta.url))

/** A server that answers probes from two addresses, in the internet. */
export async function probeServer(lab: Lab): Promise<readonly [string, string]> {
  const host = lab.host('probe')
  await lab.publish(host)
  const first = host.address()
  const second = first.replace(/\d+$/, '3')
  host.ip('addr', 'add', `${second}/24`, 'dev', 'wan')
  const server = host.spawn(process.execPath, [PROCESS, 'serve', first, second], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(server.stdout!, 'data')
  return [first, second]
}

export async function natBehaviour(host: Host, server: readonly [string, string]): Promise<NatBehaviour> {
  const child = host.spawn(process.execPath, [PROCESS, 'ask', ...server], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part
  })
  const [status] = (await once(child, 'close')) as [number | null]
  if (status !== 0) throw new Error(`${host.name}: no answer from the probe server`)
  return JSON.parse(text) as NatBehaviour
}
