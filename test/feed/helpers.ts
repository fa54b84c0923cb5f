// Shared by the feed tests: temporary stores, feeds with fixed keys, and connections between stores that carry a
// protomux, in memory or over loopback TCP. Everything opened through a World is closed and removed by its close().
import { type EventEmitter, once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { Feed, ReplicationStream } from '../../src/feed/feed.js'
import type { OwnFeed } from '../../src/feed/own.js'
import type { RemoteFeed } from '../../src/feed/remote.js'
import { FeedStore, type FeedStoreOptions, type OpenedFeedStore } from '../../src/feed/store.js'
import { silentLog } from '../../src/ports/log.js'

interface NoiseStream extends EventEmitter {
  userData: unknown
  rawStream: Duplex
  opened: Promise<boolean>
  destroyed: boolean
  destroy(error?: Error): void
  listenerCount(name: string): number
}
interface Mux {
  createChannel(options: { protocol: string; id: Buffer; onopen?: () => void; onclose?: () => void }): {
    open(): void
  } | null
  opened(options: { protocol: string; id: Buffer }): boolean
}

const require = createRequire(import.meta.url)
const SecretStream = require('@hyperswarm/secret-stream') as new (
  isInitiator: boolean,
  raw?: Duplex,
) => NoiseStream
const Protomux = require('protomux') as { from(stream: NoiseStream): Mux }
const sodium = require('sodium-native') as {
  crypto_sign_seed_keypair(publicKey: Buffer, secretKey: Buffer, seed: Buffer): void
}

export interface End extends ReplicationStream {
  readonly stream: NoiseStream
  readonly mux: Mux
}

/** The key pair of a seed byte, the same in every run. */
export function keyPairOf(seed: number): { publicKey: Buffer; secretKey: Buffer } {
  const pair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
  sodium.crypto_sign_seed_keypair(pair.publicKey, pair.secretKey, Buffer.alloc(32, seed))
  return pair
}

export const BLOCK_KEY: Buffer = Buffer.alloc(32, 0xb1)

export class World {
  readonly #cleanups: (() => Promise<unknown> | undefined)[] = []

  async directory(): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'shoal-feed-'))
    this.#cleanups.push(() => rm(path, { recursive: true, force: true }))
    return path
  }

  async store(options: Partial<FeedStoreOptions> & { directory?: string } = {}): Promise<FeedStore> {
    return (await this.open(options)).store
  }

  async open(options: Partial<FeedStoreOptions> & { directory?: string } = {}): Promise<OpenedFeedStore> {
    const { directory = await this.directory(), ...rest } = options
    const opened = await FeedStore.open(directory, { log: silentLog, ...rest })
    this.#cleanups.push(() => opened.store.close())
    return opened
  }

  /** Two ends of one Noise connection in memory, each with its protomux. */
  async connect(): Promise<[End, End]> {
    const initiator = new SecretStream(true)
    const responder = new SecretStream(false)
    initiator.rawStream.pipe(responder.rawStream).pipe(initiator.rawStream)
    return this.#ends(initiator, responder)
  }

  async connectTcp(): Promise<[End, End]> {
    const server = net.createServer()
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as net.AddressInfo
    const accepted = once(server, 'connection') as Promise<[net.Socket]>
    const initiator = new SecretStream(true, net.connect(port, '127.0.0.1'))
    const responder = new SecretStream(false, (await accepted)[0])
    server.close()
    return this.#ends(initiator, responder)
  }

  async close(): Promise<void> {
    for (const cleanup of this.#cleanups.splice(0).reverse()) await cleanup()
  }

  async #ends(initiator: NoiseStream, responder: NoiseStream): Promise<[End, End]> {
    const ends = [initiator, responder].map((stream) => {
      stream.on('error', () => {})
      const mux = Protomux.from(stream)
      stream.userData = mux
      this.#cleanups.push(async () => stream.destroy())
      return { stream, mux, userData: mux }
    }) as [End, End]
    await Promise.all([initiator.opened, responder.opened])
    return ends
  }
}

export function own(store: FeedStore, seed = 1): Promise<OwnFeed> {
  return store.openOwn({ keyPair: keyPairOf(seed), blockKey: BLOCK_KEY })
}

export function remote(store: FeedStore, feed: { readonly key: Buffer }): Promise<RemoteFeed> {
  return store.openRemote({ feedKey: feed.key, blockKey: BLOCK_KEY })
}

/** Replicates `left` and `right` over a new connection. */
export async function join2(world: World, left: Feed, right: Feed): Promise<[End, End]> {
  const ends = await world.connect()
  left.replicate(ends[0])
  right.replicate(ends[1])
  return ends
}

/** Resolves when the feed is at least `length` long. */
export async function reaches(feed: Feed, length: number): Promise<void> {
  while (feed.length < length) await once(feed, 'length')
}

export async function texts(feed: Feed, from: number, to: number, signal?: AbortSignal): Promise<string[]> {
  const all: string[] = []
  for await (const { block } of feed.read(from, to, signal === undefined ? {} : { signal }))
    all.push(block.toString())
  return all
}

export function blocks(...contents: string[]): Buffer[] {
  return contents.map((content) => Buffer.from(content))
}

/** Lets everything that is due now happen; for showing that something does NOT happen, never to wait for it. */
export async function turns(count = 50): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}
