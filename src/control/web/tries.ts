// How often wrong credentials may be tried from where. Pure but for what it remembers; times are handed in. Promises: after
// LIMIT wrong tries an address is shut out, whatever it shows, for a time that doubles each time it happens; many
// addresses together get no more tries than GLOBAL_LIMIT in a minute, from then on only those that were right before
// get in; what is remembered is bounded.

/** Wrong tries before an address is shut out. People mistype. */
export const LIMIT = 10
const SHUT_MS = 30_000
const MOST_SHUT_MS = 60 * 60_000
/** After this long without a wrong try, nothing is held against an address. */
const FORGIVEN_MS = 2 * 60 * 60_000
/** Of all addresses that were never right: a network of machines, or of addresses of one machine. */
export const GLOBAL_LIMIT = 60
const GLOBAL_WINDOW_MS = 60_000
const MAX_ADDRESSES = 4096

interface Record {
  wrong: number
  /** How often it was shut out in a row. */
  shuts: number
  shutUntilMs: number
  lastMs: number
}

export class Tries {
  /** Least recently wrong first. */
  readonly #wrong = new Map<string, Record>()
  /** Addresses that were right, least recently first. */
  readonly #right = new Set<string>()
  #windowStartMs = Number.NEGATIVE_INFINITY
  #windowWrong = 0

  /** How long an address is shut out from now on; 0: it is not. */
  shutForMs(address: string, nowMs: number): number {
    const from = sourceOf(address)
    const record = this.#wrong.get(from)
    if (record !== undefined && record.shutUntilMs > nowMs) return record.shutUntilMs - nowMs
    const leftMs = this.#windowStartMs + GLOBAL_WINDOW_MS - nowMs
    return this.#windowWrong >= GLOBAL_LIMIT && leftMs > 0 && !this.#right.has(from) ? leftMs : 0
  }

  /** Wrong credentials came from an address. Tells whether it is shut out from now on. */
  wrong(address: string, nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= GLOBAL_WINDOW_MS) {
      this.#windowStartMs = nowMs
      this.#windowWrong = 0
    }
    this.#windowWrong++
    const from = sourceOf(address)
    const before = this.#wrong.get(from)
    const record =
      before === undefined || nowMs - before.lastMs > FORGIVEN_MS
        ? { wrong: 0, shuts: 0, shutUntilMs: 0, lastMs: nowMs }
        : before
    record.wrong++
    record.lastMs = nowMs
    const isShut = record.wrong >= LIMIT
    if (isShut) {
      record.shutUntilMs = nowMs + Math.min(SHUT_MS * 2 ** record.shuts, MOST_SHUT_MS)
      record.shuts++
      record.wrong = 0
    }
    this.#wrong.delete(from)
    this.#wrong.set(from, record)
    dropOldest(this.#wrong)
    return isShut
  }

  /** Right credentials came from an address. Its earlier wrong tries stay: the user of a machine is not all who are on it. */
  right(address: string): void {
    const from = sourceOf(address)
    this.#right.delete(from)
    this.#right.add(from)
    dropOldest(this.#right)
  }
}

/** Whoever has one IPv6 address has 2^64 of them. Addresses are canonical. */
function sourceOf(address: string): string {
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const before = head === '' ? [] : head.split(':')
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length
  const words = [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...after]
  return words.slice(0, 4).join(':')
}

function dropOldest(kept: {
  readonly size: number
  keys(): Iterator<string>
  delete(key: string): boolean
}): void {
  if (kept.size > MAX_ADDRESSES) kept.delete(kept.keys().next().value as string)
}
