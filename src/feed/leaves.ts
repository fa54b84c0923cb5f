// What lets the rest of a feed be proved where blocks of it are lost: the hashes of its blocks, kept beside them, run by run.
// A writer signs the tree over all blocks (merkle.ts), so without this nothing of a feed holds once one block is gone. Nothing
// here is believed: a hash that is not what the writer signed makes the signature fail, no more.
//
// Bytes of a run ("leaves v1"; docs/design.md). Integers are varints:
//   format version 1 (1)
//   first block, count (1 to 16), of each: size as stored, hash (32)
//   the newest head there was: length, fork, feed proof (proof.ts)
//   certificate of the writer, or nothing
//
// By number, of each feed:
//   0        the newest run, as far as it goes, with the certificate; written anew with every head
//   1 + 2r   run r, blocks 16r to 16r + 15, once it is whole
//   2 + 2r   the same once more, elsewhere
import { ByteReader, ByteWriter } from '../core/bytes.js'
import type { WriterId } from '../core/ids.js'
import { Malformed } from '../core/violation.js'
import { MAX_FEED_BLOCKS } from './guard.js'
import { type LeafHash, NODE_HASH_BYTES } from './merkle.js'
import { MAX_PROOF_BYTES, MAX_STORED_BYTES, type PortableHead } from './proof.js'

/**
 * Blocks of a run. Twice as many: 8 bytes less for each block that is kept, and of what is published one by one 270 more are
 * written for each.
 */
export const RUN_BLOCKS = 16
/** Number of the newest run. */
export const NEWEST_RUN = 0
/** A run with the longest proof and the longest certificate. */
export const MAX_RUN_BYTES: number = 16 * 1024

const FORMAT = 1
const MAX_CERTIFICATE_BYTES = 4096

export interface LeafRun {
  readonly first: number
  /** From `first` on, one at least. */
  readonly leaves: readonly LeafHash[]
  readonly head: PortableHead
  /** Empty: it is not told. */
  readonly certificate: Buffer
}

/** A run as it is kept. */
export interface KeptRun {
  readonly index: number
  readonly bytes: Buffer
}

/** Number of a whole run, and of its copy elsewhere. */
export function numbersOfRun(run: number): readonly [near: number, far: number] {
  return [1 + 2 * run, 2 + 2 * run]
}

export function encodeRun({ first, leaves, head, certificate }: LeafRun): Buffer {
  const writer = new ByteWriter(1024).u8(FORMAT).uint(first).uint(leaves.length)
  for (const { size, hash } of leaves) writer.uint(size).raw(hash)
  writer.uint(head.length).uint(head.fork).bytes(head.signature).bytes(certificate)
  return writer.finish()
}

/** Undefined: it is none, or of a later format. Nothing of it is a view of the bytes: much else may lie in the same memory. */
export function decodeRun(writer: WriterId, bytes: Buffer): LeafRun | undefined {
  try {
    const reader = new ByteReader(bytes)
    if (reader.u8() !== FORMAT) return undefined
    const first = reader.uintUpTo(MAX_FEED_BLOCKS, 'first block of a run')
    const count = reader.count(1 + NODE_HASH_BYTES, 'leaves')
    if (count < 1 || count > RUN_BLOCKS) return undefined
    const leaves: LeafHash[] = []
    for (let i = 0; i < count; i++) {
      // Of larger ones, the sum may be no number that a tree has.
      const size = reader.uintUpTo(MAX_STORED_BYTES, 'size of a block')
      leaves.push({ size, hash: Buffer.from(reader.take(NODE_HASH_BYTES)) })
    }
    const length = reader.uintUpTo(MAX_FEED_BLOCKS, 'length of a feed')
    const fork = reader.uint()
    const signature = Buffer.from(reader.bytes(MAX_PROOF_BYTES, 'feed proof'))
    const certificate = Buffer.from(reader.bytes(MAX_CERTIFICATE_BYTES, 'certificate'))
    reader.end()
    return { first, leaves, head: { writer, length, fork, signature }, certificate }
  } catch (thrown) {
    // Where it cannot be read, it is as if it was not there.
    if (thrown instanceof Malformed) return undefined
    throw thrown
  }
}

/** All that is kept of a feed beside its blocks. */
export class KnownLeaves {
  readonly #leaves = new Map<number, LeafHash>()
  readonly #heads = new Map<number, PortableHead>()
  #newest: PortableHead | undefined
  #certificate: Buffer | undefined

  static async read(writer: WriterId, kept: AsyncIterable<KeptRun>): Promise<KnownLeaves> {
    const known = new KnownLeaves()
    for await (const { index, bytes } of kept) {
      const run = decodeRun(writer, bytes)
      if (run !== undefined) known.#take(index, run)
    }
    return known
  }

  get(block: number): LeafHash | undefined {
    return this.#leaves.get(block)
  }

  /** That of the last batch, if it is here. */
  get newest(): PortableHead | undefined {
    return this.#newest
  }

  get certificate(): Buffer | undefined {
    return this.#certificate
  }

  /** What the writer has signed at some time, the longest first. */
  heads(): PortableHead[] {
    return [...this.#heads.values()].sort((a, b) => b.length - a.length)
  }

  #take(index: number, { first, leaves, head, certificate }: LeafRun): void {
    leaves.forEach((leaf, i) => {
      if (!this.#leaves.has(first + i)) this.#leaves.set(first + i, leaf)
    })
    if (!this.#heads.has(head.length)) this.#heads.set(head.length, head)
    if (index === NEWEST_RUN) this.#newest = head
    if (certificate.length > 0) this.#certificate = certificate
  }
}
