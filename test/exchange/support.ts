// A node for exchange tests: an Exchange over pieces in memory that checks what it gets, as staging would (P1).

import { Bitfield } from '../../src/core/bitfield.js'
import { type WriterId, writerIdOf } from '../../src/core/ids.js'
import { pieceIdOf } from '../../src/core/piece.js'
import {
  Exchange,
  type ExchangeOptions,
  type FetchedPiece,
  type PieceRequest,
  type WantedPiece,
} from '../../src/exchange/exchange.js'
import { silentLog } from '../../src/ports/log.js'
import { connect, type TestPeer, testDevice, testKeyPair } from '../support/streams.js'

export const discoveryKey: Buffer = Buffer.alloc(32, 0x51)
export const writer: WriterId = writerIdOf(discoveryKey)

/** A piece that depends on its number alone; its true id. */
export function makePiece(index: number, bytes = 1000): Buffer {
  const piece = Buffer.alloc(bytes, index & 0xff)
  piece.writeUInt32BE(index)
  return piece
}

export function wantedPiece(index: number, bytes = 1000, priority = 1): WantedPiece {
  return { id: pieceIdOf(makePiece(index, bytes)), length: bytes, refs: [{ writer, index }], priority }
}

export interface NodeOptions extends Partial<ExchangeOptions> {
  /** Piece numbers held at the start. */
  readonly holds?: Iterable<number>
  readonly pieceBytes?: number
  readonly pieceCount?: number
  /** What is served instead of the true piece. */
  readonly serve?: (request: PieceRequest) => Buffer | null | Promise<Buffer | null>
  /** Do not add the feed yet. */
  readonly withoutFeed?: boolean
}

export class Node {
  readonly number: number
  readonly exchange: Exchange
  /** Verified pieces by hex id. */
  readonly got: Map<string, Buffer> = new Map()
  readonly fetched: FetchedPiece[] = []
  readonly reads: PieceRequest[][] = []
  readonly #feed: Parameters<Exchange['addFeed']>[0]

  constructor(number: number, options: NodeOptions = {}) {
    this.number = number
    const pieceBytes = options.pieceBytes ?? 1000
    this.exchange = new Exchange({
      device: testDevice(number),
      source: {
        lengthOf: () => (options.serve === undefined ? pieceBytes : undefined),
        read: async (requests) => {
          this.reads.push([...requests])
          return Promise.all(
            requests.map((request) =>
              options.serve === undefined ? makePiece(request.index, pieceBytes) : options.serve(request),
            ),
          )
        },
      },
      log: silentLog,
      seed: number,
      ...options,
    })
    this.#feed = {
      writer,
      discoveryKey,
      pieceCount: options.pieceCount ?? 10_000,
      have: Bitfield.of(options.holds ?? []),
    }
    if (options.withoutFeed !== true) this.addFeed()
    this.exchange.on('pieces', (batch) => this.#verify(batch))
  }

  addFeed(): void {
    this.exchange.addFeed(this.#feed)
  }

  /** Attaches both ends of a new connection; our end first. */
  async connect(other: Node): Promise<[TestPeer, TestPeer]> {
    const ends = await connect(testKeyPair(this.number), testKeyPair(other.number))
    this.exchange.attach(ends[0])
    other.exchange.attach(ends[1])
    return ends
  }

  /** Resolves when so many pieces are here and right. */
  async whenGot(count: number): Promise<void> {
    if (this.got.size >= count) return
    return new Promise((resolve) => {
      const look = (): void => {
        if (this.got.size < count) return
        this.exchange.off('pieces', look)
        resolve()
      }
      this.exchange.on('pieces', look)
    })
  }

  #verify(batch: readonly FetchedPiece[]): void {
    for (const piece of batch) {
      this.fetched.push(piece)
      if (!pieceIdOf(piece.bytes).equals(piece.id))
        this.exchange.wrong({ id: piece.id, length: piece.bytes.length }, piece.from)
      else {
        this.got.set(piece.id.toString('hex'), Buffer.from(piece.bytes))
        this.exchange.have(writer, [piece.bytes.readUInt32BE(0)])
      }
    }
  }
}

/** Nodes and connections of one test; end() closes them all and resolves when nothing is left. */
export class Net {
  readonly #nodes: Node[] = []
  readonly #ends: TestPeer[] = []

  node(options: NodeOptions = {}): Node {
    const node = new Node(this.#nodes.length + 1, options)
    this.#nodes.push(node)
    return node
  }

  async connect(one: Node, other: Node): Promise<[TestPeer, TestPeer]> {
    const ends = await one.connect(other)
    this.#ends.push(...ends)
    return ends
  }

  /** A bare connection to a node: its end is attached, the other end speaks as the test says. */
  async stranger(node: Node, number = 99): Promise<[TestPeer, TestPeer]> {
    const ends = await connect(testKeyPair(node.number), testKeyPair(number))
    node.exchange.attach(ends[0])
    this.#ends.push(...ends)
    return ends
  }

  async end(): Promise<void> {
    for (const node of this.#nodes) node.exchange.close()
    for (const end of this.#ends) end.close('test over')
    await Promise.all(this.#ends.map((end) => end.whenClosed()))
  }
}

export function range(count: number, from = 0): number[] {
  return Array.from({ length: count }, (_, at) => from + at)
}
