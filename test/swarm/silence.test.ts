// A connection over UDX that the other end never opened: given up soon, and the device dialled once more.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { test } from 'node:test'
import NoiseSecretStream from '@hyperswarm/secret-stream'
import HyperDHT from 'hyperdht'
import type { DeviceId } from '../../src/core/ids.js'
import { silentLog } from '../../src/ports/log.js'
import { DhtFinder } from '../../src/swarm/dht.js'
import { closeDht, runDhtNode } from '../../src/swarm/dht-node.js'
import { SilenceWatch, silencePatienceMs } from '../../src/swarm/silence.js'
import { until } from '../support/until.js'
import { freshDevice, shareKeys } from './support.js'

/** What is used of a DHT to be found as somebody else would be. */
interface Announcer {
  createServer(
    options: { createSecretStream: (...args: unknown[]) => NoiseSecretStream },
    onConnection: (stream: NoiseSecretStream) => void,
  ): { listen(keyPair: unknown): Promise<void> }
  announce(topic: Buffer, keyPair: unknown): { finished(): Promise<void> }
}

test('a device that says nothing over UDX is dialled again long before a proof is too late', {
  timeout: 20_000,
}, async (t) => {
  const node = await runDhtNode({ host: '127.0.0.1', port: 0, bootstrap: [], log: silentLog })
  const { publicKey, secretKey } = freshDevice()
  const keyPair = { publicKey, secretKey }
  const bootstrap = [node.address]
  const dht = new HyperDHT({ bootstrap, keyPair, host: '127.0.0.1', port: [0, 0] })
  const [keys] = shareKeys('read')
  let accepted = 0
  const streams: NoiseSecretStream[] = []
  const server = (dht as unknown as Announcer).createServer(
    {
      // Over the first one packets are acknowledged, and nothing is said.
      createSecretStream: (isInitiator, raw, options) => {
        if (accepted === 0) Object.assign(raw as object, { write: () => true })
        return new NoiseSecretStream(isInitiator as boolean, raw, options as object)
      },
    },
    (stream) => {
      accepted++
      streams.push(stream)
      stream.on('error', () => undefined)
    },
  )
  await server.listen(keyPair)
  await (dht as unknown as Announcer).announce(keys!.topic, keyPair).finished()

  const openedAtMs: number[] = []
  const ends: string[] = []
  const finder = new DhtFinder({
    device: freshDevice(),
    bootstrap,
    host: '127.0.0.1',
    log: silentLog,
    onConnection: (stream) => {
      openedAtMs.push(performance.now())
      stream.on('error', (error: Error) => ends.push(error.message))
    },
  })
  t.after(async () => {
    await finder.close()
    for (const stream of streams) stream.destroy()
    await closeDht(dht, undefined, silentLog)
    await node.close()
  })
  finder.join(keys!.topic, 'look')
  await until('it is dialled again', () => openedAtMs.length >= 2, 15_000)
  assert.equal(ends[0], 'nothing heard in time')
  const waitedMs = openedAtMs[1]! - openedAtMs[0]!
  assert.ok(waitedMs > 2_400 && waitedMs < 6_000, `${waitedMs} ms`)
})

test('a way of 600 ms has time for four round trips; measured ones and further tries have more', () => {
  assert.equal(silencePatienceMs(0, 0), 2_500)
  assert.equal(silencePatienceMs(0, 30), 2_500)
  assert.equal(silencePatienceMs(0, 600), 3_600)
  assert.deepEqual(
    [1, 2, 3, 60].map((silences) => silencePatienceMs(silences, 0)),
    [5_000, 10_000, 10_000, 10_000],
  )
})

/** A stream as far as it is watched. */
class Watched extends EventEmitter {
  readonly isInitiator = true
  readonly destroying = false
  readonly rawStream: EventEmitter & { rtt: number } = Object.assign(new EventEmitter(), { rtt: 0 })
  readonly publicKey: Buffer
  readonly remotePublicKey: Buffer

  constructor(isPreferred: boolean) {
    super()
    this.publicKey = Buffer.alloc(32, isPreferred ? 2 : 0)
    this.remotePublicKey = Buffer.alloc(32, 1)
  }

  destroy(error: Error): void {
    this.emit('error', error)
    this.emit('close')
  }
}

test('what is heard stays; of two ends one dials first, and each once until the device is heard', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  let nowMs = 0
  const pass = (ms: number): void => {
    nowMs += ms
    t.mock.timers.tick(ms)
  }
  const dials: string[] = []
  const silence = new SilenceWatch({
    dial: (device) => dials.push(`${device} at ${nowMs}`),
    now: () => nowMs,
    random: () => 0,
  })
  const ends: string[] = []
  const watch = (device: string, isPreferred = true): Watched => {
    const stream = new Watched(isPreferred)
    stream.on('error', () => ends.push(`${device} at ${nowMs}`))
    silence.watch(device as DeviceId, stream as unknown as NoiseSecretStream)
    return stream
  }
  const heard = watch('heard')
  watch('first')
  watch('second', false)
  const far = watch('far')
  far.rawStream.rtt = 600
  heard.rawStream.emit('data', Buffer.alloc(1))
  pass(2_500)
  assert.deepEqual(ends.splice(0), ['first at 2500', 'second at 2500'])
  pass(100)
  far.rawStream.emit('data', Buffer.alloc(1))
  pass(700)
  assert.deepEqual(dials.splice(0), ['first at 2600', 'second at 3300'])
  watch('first')
  pass(4_999)
  assert.deepEqual(ends, [])
  pass(20_000)
  assert.equal(ends.splice(0).length, 1)
  assert.deepEqual(dials, [], 'hyperswarm waits as it does')
  watch('first').rawStream.emit('data', Buffer.alloc(1))
  watch('first')
  pass(2_500)
  pass(100)
  assert.equal(dials.length, 1, 'heard in between')
  watch('late')
  silence.close()
  pass(60_000)
  assert.equal(ends.length, 1)
})
