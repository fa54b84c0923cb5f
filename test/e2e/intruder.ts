// A member of a share that does not keep to the rules: it speaks to real daemons through the project's own swarm and
// feeds, and puts what it likes into certificates, records and pieces.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import sodium from 'sodium-native'
import { Bitfield } from '../../src/core/bitfield.js'
import { openCertificate, signCertificate } from '../../src/core/certificate.js'
import { type DeviceKeys, deviceKeysOf } from '../../src/core/device.js'
import { type Entry, NO_EXTRA } from '../../src/core/entry.js'
import { writerIdOf } from '../../src/core/ids.js'
import type { RelPath } from '../../src/core/path.js'
import { contentIdOf, type PieceInfo, pieceIdOf, SIV_BYTES, sealPiece } from '../../src/core/piece.js'
import { encodeRecord } from '../../src/core/record.js'
import { keysOf, type Secret, type ShareKeys } from '../../src/core/secret.js'
import { Exchange, type PieceRequest } from '../../src/exchange/exchange.js'
import { discoveryKeyOf } from '../../src/feed/discovery.js'
import { feedKeyOf } from '../../src/feed/key.js'
import type { OwnFeed } from '../../src/feed/own.js'
import { FeedStore } from '../../src/feed/store.js'
import { silentLog } from '../../src/ports/log.js'
import type { SharePeer } from '../../src/swarm/share-channel.js'
import { Swarm } from '../../src/swarm/swarm.js'

export interface IntruderOptions {
  /** A scratch folder of its own. */
  readonly directory: string
  readonly secret: Secret
  readonly knownHosts: readonly string[]
}

export interface ClaimedFile {
  readonly path: string
  readonly content: string
  /** Bytes that it is said to have; those that it has if undefined. */
  readonly claims?: number
}

export class Intruder {
  readonly keys: ShareKeys
  readonly device: DeviceKeys = deviceKeysOf(randomBytes(32))
  readonly feedKey: Buffer
  readonly peers: SharePeer[] = []
  /** Why connections of ours were closed. */
  readonly closed: string[] = []
  readonly #options: IntruderOptions
  readonly #swarm: Swarm
  readonly #keyPair = { publicKey: Buffer.alloc(32), secretKey: Buffer.alloc(64) }
  readonly #onPeer: ((peer: SharePeer) => void)[] = []
  #store: FeedStore | undefined
  #feed: OwnFeed | undefined
  #exchange: Exchange | undefined

  constructor(options: IntruderOptions) {
    this.#options = options
    this.keys = keysOf(options.secret)
    sodium.crypto_sign_keypair(this.#keyPair.publicKey, this.#keyPair.secretKey)
    this.feedKey = feedKeyOf(this.#keyPair.publicKey)
    this.#swarm = new Swarm({
      device: this.device,
      deviceName: 'intruder',
      listeningPort: 0,
      listenHost: '127.0.0.1',
      interfaces: ['none'],
      log: silentLog,
    })
  }

  /** Connects; `onPeer` is called for each member, at once for those that come later. */
  async start(onPeer: (peer: SharePeer) => void): Promise<void> {
    this.#onPeer.push(onPeer)
    const { knownHosts } = this.#options
    const share = this.#swarm.addShare({ keys: this.keys, knownHosts, searchLan: false, useDht: false })
    share.on('peer', (peer) => {
      this.peers.push(peer)
      peer.on('close', (reason) => this.closed.push(reason))
      for (const act of this.#onPeer) act(peer)
    })
    await this.#swarm.start()
  }

  async stop(): Promise<void> {
    this.#exchange?.close()
    await this.#swarm.stop()
    await this.#store?.close()
  }

  /** A certificate for our feed, signed with any key. */
  certificate(signingSecretKey: Buffer): Buffer {
    return signCertificate(
      {
        shareId: this.keys.shareId,
        feedKey: this.feedKey,
        device: this.device.device,
        deviceName: 'intruder',
        epoch: 0,
      },
      signingSecretKey,
    )
  }

  /** Our feed, holding one record for each of these files; paths are taken as they are. */
  async feed(files: readonly ClaimedFile[]): Promise<OwnFeed> {
    const directory = path.join(this.#options.directory, 'cores')
    fs.mkdirSync(directory, { recursive: true })
    const { store } = await FeedStore.open(directory, { log: silentLog })
    this.#store = store
    this.#feed = await store.openOwn({ keyPair: this.#keyPair, blockKey: this.keys.feedBlockKey })
    await this.#feed.append(files.map((file, i) => this.#record(file, i)))
    return this.#feed
  }

  /** Offers pieces of every feed that members have shown certificates of: all of them, and none is right. */
  serveWrongPieces(): { readonly served: () => number } {
    let served = 0
    const exchange = new Exchange({
      device: this.device.device,
      source: {
        lengthOf: () => undefined,
        read: async (requests: readonly PieceRequest[]) => {
          served += requests.length
          // Longer than any test's pieces; the exchange cuts out what was asked for.
          return requests.map(() => Buffer.alloc(1 << 20, 0x66))
        },
      },
      log: silentLog,
    })
    this.#exchange = exchange
    this.#onPeer.push((peer) => {
      peer.on('certificates', (list) => {
        for (const bytes of list) {
          const opened = openCertificate(bytes, this.keys.shareId, this.keys.publicKey)
          if (opened.type === 'violation') continue
          const { writer, feedKey } = opened.value
          const have = new Bitfield(1000)
          for (let i = 0; i < 1000; i++) have.set(i)
          exchange.addFeed({ writer, discoveryKey: discoveryKeyOf(feedKey), pieceCount: 1000, have })
        }
      })
      exchange.attach(peer)
    })
    return { served: () => served }
  }

  #record(file: ClaimedFile, index: number): Buffer {
    const read = this.keys.read!
    const author = writerIdOf(this.feedKey)
    const sealed = sealPiece(read, Buffer.from(file.content))
    const { claims = file.content.length } = file
    const piece: PieceInfo = { id: pieceIdOf(sealed), length: claims + SIV_BYTES }
    const entry: Entry = {
      type: 'file',
      path: file.path as RelPath,
      version: [[author, index + 1]],
      author,
      origin: author,
      extra: NO_EXTRA,
      mtimeUs: 1_700_000_000_000_000,
      mode: 0o644,
      size: claims,
      content: contentIdOf([piece.id]),
      pieces: [{ first: index, count: 1 }],
    }
    const header = { kind: 'delta' as const, timeMs: 1_700_000_000_000, view: [], checkpoint: undefined }
    return encodeRecord(
      { header, announcements: [{ first: index, pieces: [piece] }], entries: [entry] },
      { entryKey: read.entryKey, feedKey: this.feedKey, index, nonce: randomBytes(24) },
    )
  }
}
