// The parameters of a request of BitTorrent Sync's API, as loose as its clients are: flags are 1, 0, true or false, numbers
// texts of digits, a list of hosts is one text with commas. Promises: no message quotes a value, as it may be a secret.
import { ERRORS, LegacyError } from './answer.js'

export class Parameters {
  readonly #method: string
  readonly #query: URLSearchParams

  constructor(method: string, query: URLSearchParams) {
    this.#method = method
    this.#query = query
  }

  /** Undefined: not given, or empty. */
  text(name: string): string | undefined {
    return this.#query.get(name) || undefined
  }

  required(name: string): string {
    const text = this.text(name)
    if (text === undefined) throw this.#missing()
    return text
  }

  flag(name: string): boolean | undefined {
    const text = this.text(name)?.toLowerCase()
    if (text === undefined) return undefined
    if (text === '1' || text === 'true') return true
    if (text === '0' || text === 'false') return false
    throw wrong(name, '0 or 1')
  }

  /** A whole number, up to `most`. */
  number(name: string, most: number): number | undefined {
    const text = this.text(name)
    if (text === undefined) return undefined
    if (!/^\d{1,15}$/.test(text) || Number(text) > most) throw wrong(name, `a number from 0 to ${most}`)
    return Number(text)
  }

  /** Given, but perhaps empty: then there are none. */
  hosts(name: string): readonly string[] {
    const text = this.#query.get(name)
    if (text === null) throw this.#missing()
    return text.split(',').flatMap((host) => (host.trim() === '' ? [] : [host.trim()]))
  }

  #missing(): LegacyError {
    return new LegacyError(ERRORS.PARAMETERS, `Specify all the required parameters for ${this.#method}.`)
  }
}

export function wrong(name: string, expected: string): LegacyError {
  return new LegacyError(ERRORS.PARAMETERS, `${name} is not what it should be, expected ${expected}`)
}
