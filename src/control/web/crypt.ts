// Passwords against their crypt(3) hashes, by the system's own libcrypt, called (ports/libc.ts) on a thread of its own: it
// knows every form that the machine's other programs do. Promises: one hash is computed at a time and few wait, so that
// wrong passwords cannot take the machine; a hash of a form that this machine does not know is told of at the start.

import { timingSafeEqual } from 'node:crypto'
import { ShoalError } from '../../core/error.js'
import { fromLibrary } from '../../ports/libc.js'

/** Larger than struct crypt_data of any libcrypt (glibc's: 131,232 bytes). */
const WORK_BYTES = 256 << 10
const LIBRARIES = ['libcrypt.so.1', 'libcrypt.so.2'] as const
/** Who comes when this many wait is refused. */
const MAX_WAITING = 16

type CryptR = {
  async(
    phrase: string,
    setting: string,
    work: Buffer,
    done: (error: unknown, hash: string | null) => void,
  ): void
}

/** Checks passwords against one hash. */
export class HashChecker {
  readonly #crypt: CryptR
  readonly #hash: string
  readonly #work = Buffer.alloc(WORK_BYTES)
  #last: Promise<unknown> = Promise.resolve()
  #waiting = 0

  private constructor(crypt: CryptR, hash: string) {
    this.#crypt = crypt
    this.#hash = hash
  }

  /** CONFIG_INVALID: this machine cannot check such a hash. */
  static async open(hash: string): Promise<HashChecker> {
    const checker = new HashChecker(bindCrypt(), hash)
    const made = await checker.#hashOf('')
    // What libcrypt does not know comes back as "*0", or nothing; of what it knows, the same kind and length.
    if (made === undefined || made.length !== hash.length || !made.startsWith(hash.slice(0, 3)))
      throw new ShoalError(
        'CONFIG_INVALID',
        'webui.password_hash is of a form that this machine does not know; make one with: openssl passwd -6',
      )
    return checker
  }

  get isBusy(): boolean {
    return this.#waiting >= MAX_WAITING
  }

  /** Whether it is the hash of a password without zero bytes. */
  async fits(password: string): Promise<boolean> {
    this.#waiting++
    try {
      const turn = this.#last.then(() => this.#hashOf(password))
      this.#last = turn.catch(() => undefined)
      const made = Buffer.from((await turn) ?? '*')
      const right = Buffer.from(this.#hash)
      return made.length === right.length && timingSafeEqual(made, right)
    } finally {
      this.#waiting--
    }
  }

  #hashOf(password: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      this.#work.fill(0)
      this.#crypt.async(password, this.#hash, this.#work, (error, hash) => {
        // What it computed with is nobody's to find.
        this.#work.fill(0)
        if (error !== null && error !== undefined) reject(error)
        else resolve(hash === null || hash.startsWith('*') ? undefined : hash)
      })
    })
  }
}

function bindCrypt(): CryptR {
  let cause: unknown
  for (const name of LIBRARIES) {
    try {
      return fromLibrary<CryptR>(name, 'char *crypt_r(const char *phrase, const char *setting, void *data)')
    } catch (thrown) {
      // No build of koffi for this machine, or the library goes by the other name.
      cause = thrown
    }
  }
  throw new ShoalError(
    'CONFIG_INVALID',
    'webui.password_hash cannot be checked on this machine, which has no libcrypt; use "password": {"file": ...} or "api_key"',
    { cause },
  )
}
