// Happy eyeballs (RFC 8305): the addresses of one name are dialled side by side, families in turn, each a quarter of a
// second after the one before or as soon as that has failed; the first connection wins and the others are given up. Node's
// own net.autoSelectFamily is not that: it gives each address 250 ms and then drops it, so that no connection over a longer
// way than that is ever made but to the last.
//
//   E1  A dead address costs those after it a quarter of a second, whatever its own time-out.
//   E2  Names are resolved anew for each dial. A name server that is slow or away holds nothing up for longer than a second:
//       then the addresses that the name had last are dialled as well.
//   E3  Exactly one connection is handed out; all others are closed, also those that come late.
import { isIP } from 'node:net'
import type { Endpoint } from './endpoint.js'

export interface NameAddress {
  readonly address: string
  readonly family: number
}

export interface EyeballsOptions<T> {
  /** All addresses of a name, in the system's order of preference. */
  readonly lookup: (name: string) => Promise<readonly NameAddress[]>
  /** Connects to one IP address; rejects when the signal is aborted. */
  readonly connect: (endpoint: Endpoint, signal: AbortSignal) => Promise<T>
  /** Closes a connection that is not needed. */
  readonly discard: (connection: T) => void
}

/** RFC 8305, "Connection Attempt Delay". */
const STAGGER_MS = 250
/** How long a name server may take before the addresses of last time are tried. */
const NAME_PATIENCE_MS = 1_000
/** Names that are remembered: those of configuration, so hardly more than a few. */
const MAX_NAMES = 256
/** Addresses of one name that are dialled; a name with more is a list of its own. */
const MAX_ADDRESSES = 16

export class Eyeballs<T> {
  readonly #o: EyeballsOptions<T>
  /** What each name led to last. */
  readonly #last = new Map<string, readonly string[]>()

  constructor(options: EyeballsOptions<T>) {
    this.#o = options
  }

  /** Rejects with the first error of an address, or of the name; after `timeoutMs`; or when `signal` is aborted. */
  async dial({ host, port }: Endpoint, timeoutMs: number, signal: AbortSignal): Promise<T> {
    const race = new Race((address, each) => this.#o.connect({ host: address, port }, each), this.#o.discard)
    const abort = (): void => race.stop(new Error('stopped'))
    const timer = setTimeout(() => race.stop(new Error('timed out')), timeoutMs)
    const impatient = setTimeout(() => race.add(this.#last.get(host) ?? []), NAME_PATIENCE_MS)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    if (isIP(host) !== 0) {
      race.add([host])
      race.complete()
    } else void this.#resolve(host, race)
    try {
      return await race.result
    } finally {
      clearTimeout(timer)
      clearTimeout(impatient)
      signal.removeEventListener('abort', abort)
    }
  }

  async #resolve(name: string, race: Race<T>): Promise<void> {
    try {
      const addresses = inTurn(await this.#o.lookup(name)).slice(0, MAX_ADDRESSES)
      this.#last.delete(name)
      this.#last.set(name, addresses)
      if (this.#last.size > MAX_NAMES) this.#last.delete(this.#last.keys().next().value!)
      race.add(addresses)
      race.complete(new Error(`no address for ${name}`))
    } catch (thrown) {
      race.add(this.#last.get(name) ?? [])
      race.complete(thrown instanceof Error ? thrown : new Error(String(thrown)))
    }
  }
}

/** The addresses with their families in turn, beginning with that of the first; each once. */
export function inTurn(addresses: readonly NameAddress[]): string[] {
  const first = addresses[0]?.family
  const left = [
    addresses.filter(({ family }) => family === first),
    addresses.filter(({ family }) => family !== first),
  ]
  const list: string[] = []
  for (let i = 0; left.some((family) => i < family.length); i++)
    for (const family of left) if (family[i] !== undefined) list.push(family[i]!.address)
  return [...new Set(list)]
}

/** One dial: its addresses come bit by bit, and the first that connects settles it. */
class Race<T> {
  readonly result: Promise<T>
  readonly #connect: (address: string, signal: AbortSignal) => Promise<T>
  readonly #discard: (connection: T) => void
  readonly #abort = new AbortController()
  readonly #seen = new Set<string>()
  readonly #next: string[] = []
  #resolve!: (connection: T) => void
  #reject!: (error: Error) => void
  #under = 0
  #isComplete = false
  #isSettled = false
  #failure: Error | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(
    connect: (address: string, signal: AbortSignal) => Promise<T>,
    discard: (connection: T) => void,
  ) {
    this.#connect = connect
    this.#discard = discard
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  /** More addresses to try; those that were given before are passed over. */
  add(addresses: readonly string[]): void {
    for (const address of addresses) {
      if (this.#seen.has(address)) continue
      this.#seen.add(address)
      this.#next.push(address)
    }
    if (this.#timer === undefined) this.#advance()
  }

  /** No more addresses come. `why` is told if there were none. */
  complete(why?: Error): void {
    this.#isComplete = true
    this.#failure ??= this.#seen.size === 0 ? why : undefined
    this.#settleIfOver()
  }

  stop(error: Error): void {
    this.#settle(() => this.#reject(error))
  }

  #advance(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const address = this.#next.shift()
    if (address === undefined || this.#isSettled) return
    this.#timer = setTimeout(() => this.#advance(), STAGGER_MS)
    void this.#attempt(address)
  }

  async #attempt(address: string): Promise<void> {
    this.#under++
    try {
      const connection = await this.#connect(address, this.#abort.signal)
      if (this.#isSettled) this.#discard(connection)
      else this.#settle(() => this.#resolve(connection))
    } catch (thrown) {
      this.#under--
      this.#failure ??= thrown instanceof Error ? thrown : new Error(String(thrown))
      this.#advance()
      this.#settleIfOver()
    }
  }

  #settleIfOver(): void {
    if (!this.#isComplete || this.#under > 0 || this.#next.length > 0) return
    this.stop(this.#failure ?? new Error('no address'))
  }

  #settle(settle: () => void): void {
    if (this.#isSettled) return
    this.#isSettled = true
    clearTimeout(this.#timer)
    settle()
    this.#abort.abort()
  }
}
