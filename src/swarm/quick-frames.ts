// Which frames of Noise connections OpenSSL encrypts and decrypts (ports/quick-stream.ts) and which the library does, by libsodium: to
// who is at the other end they are the same. One for the process (docs/decisions/0079).
// Promises: a process that sends and receives little loads nothing for it; where it cannot be had, all goes the library's way.
import type { SecretPull, SecretPush } from '@hyperswarm/secret-stream'
import { findQuickStream, type QuickStream } from '../ports/quick-stream.js'

/** Shorter ones gain less than 4 microseconds each, and nothing on a processor without AVX-512. */
const LEAST_BYTES: number = 16 * 1024
/** Looking for the functions takes 10 ms and more, which are saved again in some 25 MiB. */
const BYTES_BEFORE: number = 16 * 2 ** 20

export interface QuickFramesOptions {
  readonly find?: () => QuickStream | undefined
  /** How much the library does before they are looked for, both directions and all connections together. */
  readonly bytesBefore?: number
}

export class QuickFrames {
  readonly #find: () => QuickStream | undefined
  #bytesBefore: number
  #found: { readonly stream: QuickStream | undefined } | undefined

  constructor({ find = findQuickStream, bytesBefore = BYTES_BEFORE }: QuickFramesOptions = {}) {
    this.#find = find
    this.#bytesBefore = bytesBefore
  }

  /** Whatever these two are given from now on. */
  serve(push: SecretPush, pull: SecretPull): void {
    const [seal, open] = [push.next.bind(push), pull.next.bind(pull)]
    push.next = (message, sealed) =>
      this.#for(message)?.push(push.state, message, sealed) === true ? sealed : seal(message, sealed)
    pull.next = (sealed, message) => {
      if (this.#for(message)?.pull(pull.state, message, sealed) !== true) return open(sealed, message)
      pull.final = false
      return message
    }
  }

  #for({ length }: Buffer): QuickStream | undefined {
    if (length < LEAST_BYTES) return undefined
    if (this.#bytesBefore > 0) {
      this.#bytesBefore -= length
      return undefined
    }
    this.#found ??= { stream: this.#find() }
    return this.#found.stream
  }
}

export const quickFrames: QuickFrames = new QuickFrames()
