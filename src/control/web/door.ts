// Who gets past the door of the control API over TCP, in the order of the questions: is it a request of this API, is it for
// this machine, does no foreign web page send it, may its address try, does it show the right credentials. Knows nothing
// of sockets. Promises: nothing but the open paths is answered without credentials, whatever else a request says;
// credentials are in no answer and no log line.
import type { Log } from '../../ports/log.js'
import { Credentials, shownIn } from './credentials.js'
import { HashChecker } from './crypt.js'
import { type Refusal, refuse } from './refusal.js'
import { formOf, type OwnNames, type RequestForm, type RequestHead } from './request-form.js'
import type { WebSettings } from './settings.js'
import { Tries } from './tries.js'

/** What says no more than that the daemon runs and is well: for load balancers and supervisors, which log in nowhere. */
export const OPEN_PATHS: ReadonlySet<string> = new Set(['/health', '/ready'])

/** Before a wrong try is answered: nobody notices it once. */
const WRONG_DELAY_MS = 500

export interface DoorOptions {
  readonly log: Log
  /** Monotonic. */
  readonly nowMs: () => number
  readonly isOwnAddress: OwnNames['isOwnAddress']
  /** Resolves after a time; at once when the server closes. */
  readonly pause: (ms: number) => Promise<void>
}

/** A request as it is at the door. */
export interface Visitor extends RequestHead {
  /** Where it comes from, in the form of canonicalAddress. */
  readonly from: string
}

export class Door {
  readonly #o: DoorOptions
  readonly #hosts: readonly string[]
  readonly #credentials: Credentials
  readonly #hash: HashChecker | undefined
  /** Outlives settings: a changed password gives nobody new tries. */
  readonly tries: Tries

  private constructor(
    settings: WebSettings,
    hash: HashChecker | undefined,
    tries: Tries,
    options: DoorOptions,
  ) {
    this.#o = options
    this.#hosts = settings.hosts
    this.#hash = hash
    this.tries = tries
    this.#credentials = new Credentials(settings, async (password) => (await hash?.fits(password)) === true)
  }

  /** CONFIG_INVALID: the password's hash cannot be checked on this machine. */
  static async open(settings: WebSettings, options: DoorOptions, tries: Tries = new Tries()): Promise<Door> {
    const password = settings.login?.password
    const hash = password?.type === 'hash' ? await HashChecker.open(password.text) : undefined
    return new Door(settings, hash, tries, options)
  }

  /** What the request asks for, or why it is refused. */
  async admit(visitor: Visitor): Promise<RequestForm | Refusal> {
    const form = formOf(visitor, { hosts: this.#hosts, isOwnAddress: this.#o.isOwnAddress })
    if ('response' in form) return form
    if (visitor.method === 'GET' && OPEN_PATHS.has(form.path)) return form
    return (await this.#refusal(visitor)) ?? form
  }

  async #refusal({ from, headers }: Visitor): Promise<Refusal | undefined> {
    const shown = shownIn(headers.authorization, headers['x-api-key'])
    if (shown.type === 'nothing') return unauthorized('this API asks for a login or an API key')
    const shut = this.#shutOut(from)
    if (shut !== undefined) return shut
    if (this.#credentials.isKnown(shown)) return this.#right(from)
    // Counted before anything else is looked at: many requests may come at once.
    if (!this.#credentials.mustHash(shown)) return this.#wrong(from)
    if (this.#hash?.isBusy === true) return tooMany(1000)
    const isRight = await this.#credentials.isRight(shown)
    // Others of this address may have been wrong in the meantime, and then nothing it shows counts.
    return this.#shutOut(from) ?? (isRight ? this.#right(from) : this.#wrong(from))
  }

  #right(from: string): undefined {
    this.tries.right(from)
  }

  async #wrong(from: string): Promise<Refusal> {
    const isShut = this.tries.wrong(from, this.#o.nowMs())
    this.#o.log.warn({ from, isShut }, 'wrong credentials for the control API')
    await this.#o.pause(WRONG_DELAY_MS)
    return unauthorized('the login, password or API key is wrong')
  }

  #shutOut(from: string): Refusal | undefined {
    const ms = this.tries.shutForMs(from, this.#o.nowMs())
    return ms > 0 ? tooMany(ms) : undefined
  }
}

function unauthorized(message: string): Refusal {
  const challenge = 'Basic realm="shoal", charset="UTF-8"'
  return refuse('UNAUTHORIZED', message, { headers: { 'www-authenticate': challenge } })
}

function tooMany(ms: number): Refusal {
  const headers = { 'retry-after': String(Math.ceil(ms / 1000)) }
  return refuse('FORBIDDEN', 'too many wrong credentials; try again later', { status: 429, headers })
}
