// What a vault is put through in tests: operations that follow from a seed, and what must be in the vault after them.
// Pieces and blocks are functions of their numbers, so that another process can tell whether they are whole.
import assert from 'node:assert/strict'
import { blake3 } from '../../src/core/hash.js'
import { type ShareId, shareIdFromBytes, type WriterId, writerIdFromBytes } from '../../src/core/ids.js'
import type { StoredBlock, StoredHead, StoredLeaves, StoredPiece } from '../../src/vault/stored.js'
import type { Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'

export const SHARE: ShareId = shareIdFromBytes(Buffer.alloc(32, 7))
export const WRITERS: readonly WriterId[] = [1, 2, 3].map((n) => writerIdFromBytes(Buffer.alloc(8, n)))

export type Operation =
  | {
      readonly type: 'add'
      readonly pieces: readonly number[]
      readonly certificates: readonly number[]
      /** Of each writer by number: it has so many blocks then. */
      readonly lengths: readonly (readonly [writer: number, from: number, length: number])[]
    }
  | { readonly type: 'drop'; readonly pieces: readonly number[] }
  | { readonly type: 'compact' }
  | { readonly type: 'verify' }

const pieces = new Map<number, StoredPiece>()

export function pieceOf(number: number): StoredPiece {
  const known = pieces.get(number)
  if (known !== undefined) return known
  const bytes = bytesOf(`piece ${number}`, 25 + new Random(number).below(40) ** 2)
  const piece = { id: blake3(bytes), bytes }
  pieces.set(number, piece)
  return piece
}

export function certificateOf(writer: number): Buffer {
  return bytesOf(`certificate ${writer}`, 150)
}

export function storedBlockOf(writer: number, index: number): StoredBlock {
  const bytes = bytesOf(`block ${writer} ${index}`, 1 + ((index * 37) % 500))
  return { writer: WRITERS[writer]!, index, bytes }
}

export function headOf(writer: number, length: number): StoredHead {
  return { writer: WRITERS[writer]!, length, fork: 0, signature: bytesOf(`head ${writer} ${length}`, 64) }
}

/** Number 0 is written anew with each head, the others once. */
export function leavesOf(writer: number, index: number, length: number): StoredLeaves {
  return {
    writer: WRITERS[writer]!,
    index,
    bytes: bytesOf(`leaves ${writer} ${length}`, 1 + ((length * 61) % 700)),
  }
}

function bytesOf(text: string, length: number): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at * 32 < length; at++) parts.push(blake3(Buffer.from(`${text} ${at}`)))
  return Buffer.concat(parts).subarray(0, length)
}

/** What must be there. */
export class Expected {
  readonly pieces: Set<number> = new Set()
  /** Were added at some time, perhaps: nothing else may be there. */
  readonly ever: Set<number> = new Set()
  readonly certificates: Set<number> = new Set()
  readonly lengths: Map<number, number> = new Map()

  static parse(text: string): Expected {
    const { pieces, ever, certificates, lengths } = JSON.parse(text) as Record<string, number[]> & {
      lengths: [number, number][]
    }
    const expected = new Expected()
    for (const number of pieces ?? []) expected.pieces.add(number)
    for (const number of ever ?? []) expected.ever.add(number)
    for (const writer of certificates ?? []) expected.certificates.add(writer)
    for (const [writer, length] of lengths) expected.lengths.set(writer, length)
    return expected
  }

  /** For another process. */
  text(): string {
    const { pieces, ever, certificates, lengths } = this
    const all = { pieces: [...pieces], ever: [...ever], certificates: [...certificates] }
    return JSON.stringify({ ...all, lengths: [...lengths] })
  }

  /** It was begun. */
  begun(operation: Operation): void {
    if (operation.type === 'add') for (const number of operation.pieces) this.ever.add(number)
    // From here on they may be there or not.
    if (operation.type === 'drop') for (const number of operation.pieces) this.pieces.delete(number)
  }

  /** It was acknowledged. */
  done(operation: Operation): void {
    if (operation.type !== 'add') return
    for (const number of operation.pieces) this.pieces.add(number)
    for (const writer of operation.certificates) this.certificates.add(writer)
    for (const [writer, , length] of operation.lengths) this.lengths.set(writer, length)
  }
}

export function nextOperation(random: Random, expected: Expected): Operation {
  const type = random.weighted({ add: 10, drop: 4, compact: 3, verify: 1 })
  if (type === 'add') {
    const fresh = Array.from({ length: random.below(12) }, (_, i) => expected.ever.size + i)
    const again = random.chance(0.3) ? [random.below(expected.ever.size + 1)] : []
    const certificates = random.chance(0.1) ? [random.below(WRITERS.length)] : []
    const lengths = WRITERS.flatMap((_, writer): (readonly [number, number, number])[] => {
      const from = expected.lengths.get(writer) ?? 0
      return random.chance(0.2) ? [[writer, from, from + 1 + random.below(3)]] : []
    })
    return { type, pieces: [...new Set([...fresh, ...again])], certificates, lengths }
  }
  if (type === 'drop') {
    const share = random.next()
    return { type, pieces: [...expected.pieces].filter(() => random.chance(share)) }
  }
  return { type }
}

export async function apply(vault: Vault, operation: Operation): Promise<void> {
  switch (operation.type) {
    case 'add':
      await vault.add({
        pieces: operation.pieces.map(pieceOf),
        certificates: operation.certificates.map(certificateOf),
        blocks: operation.lengths.flatMap(([writer, from, length]) =>
          Array.from({ length: length - from }, (_, i) => storedBlockOf(writer, from + i)),
        ),
        leaves: operation.lengths.flatMap(([writer, , length]) => [
          leavesOf(writer, 0, length),
          leavesOf(writer, length, length),
        ]),
        heads: operation.lengths.map(([writer, , length]) => headOf(writer, length)),
      })
      return
    case 'drop':
      await vault.drop(operation.pieces.map((number) => pieceOf(number).id))
      return
    case 'compact':
      await vault.compact({ minDeadShare: 0.1, minDeadBytes: 200 })
      return
    case 'verify':
      assert.deepEqual((await vault.verify()).damaged, [])
  }
}

/** All that was acknowledged is there, byte for byte, and nothing that nobody has ever added. */
export async function check(vault: Vault, expected: Expected): Promise<void> {
  const numbers = [...expected.pieces]
  const pieces = numbers.map(pieceOf)
  const read = await vault.read(pieces.map(({ id }) => id))
  pieces.forEach(({ id, bytes }, i) => {
    assert.ok(read[i] !== null && read[i] !== undefined, `piece ${numbers[i]} is lost`)
    assert.ok(read[i].equals(bytes), `piece ${numbers[i]} is another`)
    assert.equal(vault.lengthOf(id), bytes.length)
  })
  const ever = new Set([...expected.ever].map((number) => pieceOf(number).id.toString('latin1')))
  for (const { id } of vault.pieces()) assert.ok(ever.has(id.toString('latin1')), 'a piece that nobody added')
  const certificates = new Set(vault.certificates().map((bytes) => bytes.toString('hex')))
  for (const writer of expected.certificates)
    assert.ok(certificates.has(certificateOf(writer).toString('hex')), `certificate ${writer} is lost`)
  for (const [writer, length] of expected.lengths) {
    const head = vault.heads().find((each) => each.writer === WRITERS[writer])
    assert.ok(head !== undefined && head.length >= length, `head ${writer} ${length} is lost`)
    assert.deepEqual(head, headOf(writer, head.length))
    let index = 0
    for await (const block of vault.blocks(WRITERS[writer]!)) {
      assert.deepEqual(block, storedBlockOf(writer, index++))
    }
    assert.ok(index >= length, `block ${writer} ${index} is lost`)
    const leaves = new Map<number, StoredLeaves>()
    for await (const each of vault.leaves(WRITERS[writer]!)) leaves.set(each.index, each)
    assert.deepEqual(leaves.get(length), leavesOf(writer, length, length))
    const newest = leaves.get(0)
    assert.ok(newest !== undefined, `leaves of ${writer} are lost`)
    // A write that was not acknowledged may be there, or a part of it.
    const lengths = [0, 1, 2, 3].map((more) => length + more)
    const isThat = lengths.some((at) => leavesOf(writer, 0, at).bytes.equals(newest.bytes))
    assert.ok(isThat, `leaves of ${writer} are older`)
  }
}
