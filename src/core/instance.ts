// The word that names one run of a daemon, so that two running copies of one device show (F4): printable ASCII without
// spaces, 1 to 64 characters.
import type { ByteReader } from './bytes.js'
import { invariant } from './error.js'
import { Malformed } from './violation.js'

/** Longest instance, bytes. */
export const MAX_INSTANCE_BYTES = 64

const INSTANCE = /^[\x21-\x7e]+$/

/** The same, which must be one. */
export function soundInstance(instance: string): string {
  invariant(
    instance.length <= MAX_INSTANCE_BYTES && INSTANCE.test(instance),
    'an instance is 1 to 64 printable characters',
  )
  return instance
}

/** A length-prefixed instance. Throws Malformed. */
export function readInstance(reader: ByteReader): string {
  const instance = reader.text(MAX_INSTANCE_BYTES, 'instance')
  if (!INSTANCE.test(instance)) throw new Malformed('bad-instance', 'instance is not printable')
  return instance
}
