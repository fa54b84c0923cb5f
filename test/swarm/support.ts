// Swarms on loopback for the tests of this folder: fresh device keys, one share unless said otherwise, everything closed
// when the test ends.
import { randomBytes } from 'node:crypto'
import { type EventEmitter, once } from 'node:events'
import type { TestContext } from 'node:test'
import { type DeviceKeys, deviceKeysOf } from '../../src/core/device.js'
import { deriveSecret, type Grade, keysOf, type ShareKeys, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import type { SharePeer } from '../../src/swarm/share-channel.js'
import type { ShareSwarm } from '../../src/swarm/share-swarm.js'
import { Swarm, type SwarmOptions } from '../../src/swarm/swarm.js'

/** Keys of one fresh share in the grades asked for. */
export function shareKeys(...grades: Grade[]): ShareKeys[] {
  const secret = writeSecretOf(randomBytes(32))
  return grades.map((grade) => keysOf(deriveSecret(secret, grade)))
}

export function freshDevice(): DeviceKeys {
  return deviceKeysOf(randomBytes(32))
}

/** Two devices of which the first has the lower id, so is the chooser (D1). */
export function devicesInOrder(): [DeviceKeys, DeviceKeys] {
  const [a, b] = [freshDevice(), freshDevice()]
  return a.device < b.device ? [a, b] : [b, a]
}

export interface Node {
  readonly swarm: Swarm
  readonly share: ShareSwarm
  readonly host: string
  readonly port: number
}

/** A started swarm on 127.0.0.1 with one share; stopped after the test. */
export async function startNode(
  t: TestContext,
  keys: ShareKeys,
  options: Partial<SwarmOptions> & {
    knownHosts?: readonly string[]
    searchLan?: boolean
    useDht?: boolean
  } = {},
): Promise<Node> {
  const { knownHosts = [], searchLan = false, useDht = false, ...rest } = options
  const swarm = startable(t, rest)
  const share = swarm.addShare({ keys, knownHosts, searchLan, useDht })
  const { port } = await swarm.start()
  return { swarm, share, host: `127.0.0.1:${port}`, port }
}

export function startable(t: TestContext, options: Partial<SwarmOptions> = {}): Swarm {
  const swarm = new Swarm({
    device: freshDevice(),
    deviceName: 'test',
    listeningPort: 0,
    listenHost: '127.0.0.1',
    // No interface has this name, so no beacon is sent anywhere.
    interfaces: ['none'],
    log: silentLog,
    ...options,
  })
  t.after(() => swarm.stop())
  return swarm
}

/** The arguments of the next event; rejects after a while. */
export async function next(emitter: object, event: string, timeoutMs = 8_000): Promise<unknown[]> {
  return once(emitter as EventEmitter, event, { signal: AbortSignal.timeout(timeoutMs) })
}

/** The next peer, or one that is there already. */
export async function peerOf(share: ShareSwarm, timeoutMs = 8_000): Promise<SharePeer> {
  const [there] = share.peers()
  if (there !== undefined) return there
  const [peer] = await next(share, 'peer', timeoutMs)
  return peer as SharePeer
}
