// ChaCha20 and Poly1305 of the OpenSSL that node itself uses, called through koffi (libc.ts): it has them for each kind of
// processor, and node:crypto offers neither the one in place nor the other without the one (docs/decisions/0079). Promises: where OpenSSL
// is another one, too old, or may not give them (FIPS), or koffi is missing, there is nothing, and no error is left behind
// where node would find it.
import { fromLibrary } from './libc.js'

/** One of it is for one thread: a key stream and a MAC are each worked on from beginning to end. Every call answers whether it was done. */
export interface Evp {
  /**
   * Begins a key stream of ChaCha20: the first 32 bytes of `key`; of `start`, the number of its first block (4, little-endian)
   * and the nonce (12).
   */
  begin(key: Buffer, start: Buffer): boolean
  /** The next bytes of the key stream over these, in place. */
  xor(bytes: Buffer): boolean
  /** Ends the key stream: OpenSSL keeps and overwrites nothing of the key (its `EVP_CIPHER_CTX_reset`). */
  end(): boolean
  /** Poly1305 of the parts one after the other into the 16 bytes of `mac`; the first 32 bytes of `key`, which OpenSSL forgets. */
  authenticate(mac: Buffer, key: Buffer, parts: readonly Buffer[]): boolean
}

/** What koffi gives for what lies in OpenSSL's memory; null: none. */
type Address = bigint | null

const KEY_BYTES = 32
const MAC_BYTES = 16
/** With fewer of its functions under the same names, another library would answer to some of them. */
const LEAST_OPENSSL = 3

/** Looks for the functions and has contexts made, which live as long as the process; undefined where something is missing. */
export function findEvp(): Evp | undefined {
  // Electron and Bun have BoringSSL there, and a version of 0 or none.
  if (!(Number.parseInt(process.versions.openssl ?? '', 10) >= LEAST_OPENSSL)) return undefined
  try {
    return bind()
  } catch {
    // No koffi for this machine, or no such function, and why is no matter to who has another way.
    return undefined
  }
}

function bind(): Evp | undefined {
  const clearErrors = find<() => void>('void ERR_clear_error()')
  const newContext = find<() => Address>('void *EVP_CIPHER_CTX_new()')
  const fetchCipher = find<Fetch>('void *EVP_CIPHER_fetch(void *, const char *, const char *)')
  const beginCipher = find<(...all: [Address, Address, null, Buffer, Buffer]) => number>(
    'int EVP_EncryptInit_ex(void *, void *, void *, const void *, const void *)',
  )
  const updateCipher = find<(...all: [Address, Buffer, Buffer, Buffer, number]) => number>(
    'int EVP_EncryptUpdate(void *, void *, void *, const void *, int)',
  )
  const resetCipher = find<(context: Address) => number>('int EVP_CIPHER_CTX_reset(void *)')
  const fetchMac = find<Fetch>('void *EVP_MAC_fetch(void *, const char *, const char *)')
  const newMacContext = find<(mac: Address) => Address>('void *EVP_MAC_CTX_new(void *)')
  const beginMac = find<(...all: [Address, Buffer, number, null]) => number>(
    'int EVP_MAC_init(void *, const void *, size_t, const void *)',
  )
  const updateMac = find<(...all: [Address, Buffer, number]) => number>(
    'int EVP_MAC_update(void *, const void *, size_t)',
  )
  const finishMac = find<(...all: [Address, Buffer, null, number]) => number>(
    'int EVP_MAC_final(void *, void *, void *, size_t)',
  )

  const isDone = (status: number): boolean => {
    if (status === 1) return true
    // What OpenSSL notes of it would be taken for the fault of whatever node asks of it next.
    clearErrors()
    return false
  }
  const mac = fetchMac(null, 'POLY1305', null)
  const [cipher, context] = [fetchCipher(null, 'ChaCha20', null), newContext()]
  const macContext = mac === null ? null : newMacContext(mac)
  if (cipher === null || context === null || macContext === null) {
    clearErrors()
    return undefined
  }
  /** An int: how many bytes were written. */
  const written = Buffer.allocUnsafeSlow(4)
  return {
    begin: (key, start) => isDone(beginCipher(context, cipher, null, key, start)),
    xor: (bytes) => isDone(updateCipher(context, bytes, written, bytes, bytes.length)),
    end: () => isDone(resetCipher(context)),
    authenticate: (into, key, parts) =>
      isDone(beginMac(macContext, key, KEY_BYTES, null)) &&
      parts.every((part) => isDone(updateMac(macContext, part, part.length))) &&
      isDone(finishMac(macContext, into, null, MAC_BYTES)),
  }
}

type Fetch = (library: null, name: string, properties: null) => Address

function find<Call>(declaration: string): Call {
  return fromLibrary<Call>(null, declaration)
}
