// Who may use the control API over TCP: whoever shows the API key, or the login's name and password. Promises: how long a
// comparison takes tells nothing about the secret; a wrong name costs what a wrong password does; no credential is in any
// message; one that is right is hashed by crypt(3) once, however often it is shown.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { WebSettings } from './settings.js'

/** What a request shows. */
export type Shown =
  | { readonly type: 'nothing' }
  | { readonly type: 'unreadable' }
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'login'; readonly name: string; readonly password: string }

/** Longer ones are nobody's. */
const MAX_SHOWN = 4096
/** What crypt(3) takes at most. */
const MAX_PASSWORD_BYTES = 511

/** What the headers of a request show; Authorization: Basic or Bearer, or X-Api-Key. Two at once are unreadable. */
export function shownIn(authorization: string | undefined, apiKey: string | undefined): Shown {
  if (authorization === undefined && apiKey === undefined) return { type: 'nothing' }
  if (authorization !== undefined && apiKey !== undefined) return { type: 'unreadable' }
  const given = authorization ?? apiKey!
  if (given.length > MAX_SHOWN) return { type: 'unreadable' }
  if (apiKey !== undefined) return { type: 'key', key: apiKey }
  const [, scheme, rest] = /^(basic|bearer) +([\x21-\x7e]+) *$/i.exec(given) ?? []
  if (scheme === undefined) return { type: 'unreadable' }
  return scheme.toLowerCase() === 'bearer' ? { type: 'key', key: rest! } : loginOf(rest!)
}

function loginOf(encoded: string): Shown {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded)) return { type: 'unreadable' }
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  if (colon < 0) return { type: 'unreadable' }
  const [name, password] = [text.slice(0, colon), text.slice(colon + 1)]
  // crypt(3) would read up to the zero byte, or refuse.
  if (text.includes('\0') || Buffer.byteLength(password) > MAX_PASSWORD_BYTES) return { type: 'unreadable' }
  return { type: 'login', name, password }
}

/** Tells whether a password is that of a hash; of a wrong one it may reject only for lack of means. */
export type CheckHash = (password: string, hash: string) => Promise<boolean>

/** The credentials of one set of settings. */
export class Credentials {
  readonly #settings: Pick<WebSettings, 'login' | 'apiKey'>
  readonly #checkHash: CheckHash
  /** Of this object alone: digests under it mean nothing to anybody else. */
  readonly #digestKey = randomBytes(32)
  readonly #key: Buffer | undefined
  /** Of name and password: given in the configuration, or seen to fit its hash. */
  #login: Buffer | undefined

  constructor(settings: Pick<WebSettings, 'login' | 'apiKey'>, checkHash: CheckHash) {
    this.#settings = settings
    this.#checkHash = checkHash
    const { login, apiKey } = settings
    this.#key = apiKey === undefined ? undefined : this.#digest('key', apiKey)
    if (login?.password.type === 'plain') this.#login = this.#loginDigest(login.name, login.password.text)
  }

  /** Whether they are known to be right; says false of what would have to be hashed first. */
  isKnown(shown: Shown): boolean {
    if (shown.type === 'key') return isSame(this.#digest('key', shown.key), this.#key)
    if (shown.type === 'login') return isSame(this.#loginDigest(shown.name, shown.password), this.#login)
    return false
  }

  /** Whether what is not known may be right all the same: isRight has work to do. */
  mustHash(shown: Shown): boolean {
    return shown.type === 'login' && this.#settings.login?.password.type === 'hash'
  }

  /** Whether they are right. */
  async isRight(shown: Shown): Promise<boolean> {
    if (this.isKnown(shown)) return true
    const { login } = this.#settings
    if (shown.type !== 'login' || login?.password.type !== 'hash') return false
    const isPassword = await this.#checkHash(shown.password, login.password.text)
    const isName = isSame(this.#digest('name', shown.name), this.#digest('name', login.name))
    if (!isPassword || !isName) return false
    this.#login = this.#loginDigest(shown.name, shown.password)
    return true
  }

  #loginDigest(name: string, password: string): Buffer {
    // Names hold no zero byte, so no two pairs are one text.
    return this.#digest('login', `${name}\0${password}`)
  }

  #digest(purpose: string, text: string): Buffer {
    return createHmac('sha256', this.#digestKey).update(`${purpose}\0`).update(text).digest()
  }
}

/** Both of a digest's length, or the right one is not there. */
function isSame(shown: Buffer, right: Buffer | undefined): boolean {
  return right !== undefined && timingSafeEqual(shown, right)
}
