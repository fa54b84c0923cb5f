// The attributes of a batch of files, packed to change threads: two arrays that change hands instead of a small buffer
// for each file, most of which would be empty.
import type { ReadAttributes } from './attributes.js'
import type { Fault } from './safefs.js'

/** Every array buffer in it is its own. */
export interface PackedAttributes {
  /** One a file: bytes, or UNDEFINED, or FAULT less the index of a fault. */
  readonly lengths: Int32Array<ArrayBuffer>
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly faults: readonly Fault[]
}

const UNDEFINED = -1
const FAULT = -2

export function packAttributes(all: readonly ReadAttributes[]): PackedAttributes {
  const lengths = new Int32Array(all.length)
  const faults: Fault[] = []
  let total = 0
  for (const [index, each] of all.entries()) {
    if (each === undefined) lengths[index] = UNDEFINED
    else if (Buffer.isBuffer(each)) {
      lengths[index] = each.length
      total += each.length
    } else lengths[index] = FAULT - (faults.push(each) - 1)
  }
  const bytes = new Uint8Array(total)
  let at = 0
  for (const each of all) {
    if (!Buffer.isBuffer(each)) continue
    bytes.set(each, at)
    at += each.length
  }
  return { lengths, bytes, faults }
}

/** In order. Buffers are views of the packed ones. */
export function unpackAttributes(packed: PackedAttributes): ReadAttributes[] {
  const { lengths, bytes, faults } = packed
  let at = 0
  return Array.from(lengths, (length): ReadAttributes => {
    if (length === UNDEFINED) return undefined
    if (length < 0) return faults[FAULT - length]
    at += length
    return Buffer.from(bytes.buffer, bytes.byteOffset + at - length, length)
  })
}

/** The array buffers to transfer. */
export function buffersOfAttributes(packed: PackedAttributes | undefined): ArrayBuffer[] {
  return packed === undefined ? [] : [packed.lengths.buffer, packed.bytes.buffer]
}
