// OpenSSL's ChaCha20 and Poly1305: had where they are, and undefined where they, koffi or OpenSSL itself are not, without a trace.
import assert from 'node:assert/strict'
import { Module } from 'node:module'
import { type TestContext, test } from 'node:test'
import { findEvp } from '../../src/ports/evp.js'
import { fromLibrary } from '../../src/ports/libc.js'

const skip = process.platform === 'linux' && process.versions.openssl?.startsWith('3.') ? false : 'not here'

test('the key stream and the MAC are those of RFC 8439', { skip }, () => {
  const evp = findEvp()!
  const key = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
  const start = Buffer.from('01000000000000000000004a00000000', 'hex')
  const text = Buffer.from('Ladies and Gentlemen of the class of ')
  assert.ok(evp.begin(key, start) && evp.xor(text.subarray(0, 5)) && evp.xor(text.subarray(5)))
  assert.equal(text.toString('hex', 0, 16), '6e2e359a2568f98041ba0728dd0d6981')
  const mac = Buffer.alloc(16)
  const macKey = Buffer.from('85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b', 'hex')
  const parts = ['Cryptographic ', 'Forum Research Group'].map((part) => Buffer.from(part))
  // Once it is ended it can be begun again, and a MAC at any time.
  for (const _ of [1, 2]) {
    assert.ok(evp.end())
    assert.ok(evp.authenticate(mac.fill(0), macKey, parts))
    assert.equal(mac.toString('hex'), 'a8061dc1305136c6c22b8baf0c0127a9')
    assert.ok(evp.begin(key, start))
  }
})

test('a key stream that was ended, or not begun, is refused, and no error is left for node to find', {
  skip,
}, () => {
  const evp = findEvp()!
  const bytes = Buffer.alloc(64)
  assert.equal(evp.xor(bytes), false)
  assert.ok(evp.begin(Buffer.alloc(32), Buffer.alloc(16)) && evp.end())
  assert.equal(evp.xor(bytes), false)
  assert.ok(bytes.equals(Buffer.alloc(64)))
  assert.equal(errorOfOpenssl(), 0)
})

test('undefined without koffi, without a function, and where OpenSSL does not give one (FIPS)', {
  skip,
}, (t) => {
  const cases: [string, Wrap | undefined][] = [
    ['no koffi', undefined],
    ['no function', (declaration, real) => real(declaration.replace('EVP_MAC_fetch', 'EVP_MAC_none'))],
    ['no MAC', (declaration, real) => fetching(declaration, real, 'EVP_MAC_fetch')],
    ['no cipher', (declaration, real) => fetching(declaration, real, 'EVP_CIPHER_fetch')],
  ]
  for (const [name, wrap] of cases) {
    const restore = wrapped(t, wrap)
    assert.equal(findEvp(), undefined, name)
    restore()
    assert.equal(errorOfOpenssl(), 0, `${name}: an error is left for node to find`)
    assert.ok(findEvp() !== undefined, 'had again')
  }
})

test('of another library than OpenSSL 3 nothing is asked', { skip }, (t) => {
  const { versions } = process
  t.after(() => Object.defineProperty(process, 'versions', { value: versions }))
  let asked = 0
  const restore = wrapped(t, (declaration, real) => {
    asked++
    return real(declaration)
  })
  for (const openssl of ['0.0.0', '1.1.1w', undefined]) {
    Object.defineProperty(process, 'versions', { value: { ...versions, openssl }, configurable: true })
    assert.equal(findEvp(), undefined)
  }
  restore()
  assert.equal(asked, 0)
})

type Declared = (declaration: string) => (...all: unknown[]) => unknown
type Wrap = (declaration: string, real: Declared) => (...all: unknown[]) => unknown

/** As OpenSSL answers where its providers do not have what is asked for. */
function fetching(declaration: string, real: Declared, name: string): (...all: unknown[]) => unknown {
  const call = real(declaration)
  return declaration.includes(name) ? () => call(null, 'SHOAL-HAS-NONE', null) : call
}

/** koffi with other functions, or none of it, until the answer is called. */
function wrapped(t: TestContext, wrap: Wrap | undefined): () => void {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown }
  const load = loader._load
  const { mock } = t.mock.method(
    loader,
    '_load',
    function (this: unknown, request: string, ...rest: unknown[]) {
      if (request !== 'koffi') return load.call(this, request, ...rest)
      if (wrap === undefined) throw new Error('no build of koffi for this machine')
      const koffi = load.call(this, request, ...rest) as { load(name: null): { func: Declared } }
      return {
        load: (name: null) => {
          const library = koffi.load(name)
          return { func: (declaration: string) => wrap(declaration, (each) => library.func(each)) }
        },
      }
    },
  )
  return () => mock.restore()
}

function errorOfOpenssl(): number {
  return Number(fromLibrary<() => number | bigint>(null, 'unsigned long ERR_peek_error()')())
}
