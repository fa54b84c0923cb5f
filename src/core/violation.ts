// A peer's bad message is an outcome, not an exception: decoders return Decoded<T>, and the session decides whether to
// ignore, choke or drop. Inside a decoder, Malformed is thrown by the bounded reader and caught at the codec's border.

/** Why bytes from outside were refused. */
export interface Violation {
  readonly type: 'violation'
  /** A word for logs and counters: 'truncated', 'bad-path', 'too-long', ... */
  readonly code: string
  /** Where and what, for a person. Never contains key material. */
  readonly detail: string
}

/** A decoder's answer: the value, or why not. */
export type Decoded<T> = { readonly type: 'ok'; readonly value: T } | Violation

/** Thrown only between a bounded reader and the codec around it. */
export class Malformed extends Error {
  readonly code: string
  constructor(code: string, detail: string) {
    super(detail)
    this.code = code
  }
}

/** Runs a decoder body; a Malformed becomes a Violation, anything else is our bug and passes through. */
export function decoding<T>(body: () => T): Decoded<T> {
  try {
    return { type: 'ok', value: body() }
  } catch (thrown) {
    if (thrown instanceof Malformed) return { type: 'violation', code: thrown.code, detail: thrown.message }
    throw thrown
  }
}
