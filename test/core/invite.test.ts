import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { bech32m } from '@scure/base'
import fc from 'fast-check'
import { ShoalError } from '../../src/core/error.js'
import {
  formatInvite,
  INVITE_BYTES,
  INVITE_NAMES,
  inviteKeysOf,
  inviteOf,
  isInvite,
  parseInvite,
} from '../../src/core/invite.js'
import { deriveSecret, formatSecret, GRADES, writeSecretOf } from '../../src/core/secret.js'
import { redactSecrets } from '../../src/core/secret-redact.js'
import { readFixture } from '../support/repository.js'

/** Frozen: an invite is read out by one version and typed into another. */
const fixtures = readFixture('invites.json') as {
  readonly name: string
  readonly random: string
  readonly bytes: string
  readonly text: string
  readonly keys: Readonly<Record<string, string | number>>
}[]

const randoms = fc
  .uint8Array({ minLength: INVITE_BYTES, maxLength: INVITE_BYTES })
  .map((bytes) => Buffer.from(bytes))
const texts = randoms.map((random) => formatInvite(inviteOf(random)))
// A fixed seed: that a message shares characters with an invite by accident must not depend on the day.
const fixed = { seed: 20261121, numRuns: 300 }
const ALPHABET = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'

/** The message of the INVITE_INVALID that the text must give, after checking that it echoes none of the text. */
function refusal(text: string): string {
  try {
    parseInvite(text)
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    assert.equal(error.code, 'INVITE_INVALID')
    assert.equal(error.cause, undefined)
    for (const group of text.split(/[^0-9a-z]+/i))
      if (group.length >= 5) assert.ok(!error.message.includes(group), `echoes ${group}`)
    return error.message
  }
  assert.fail(`accepted a text of ${text.length} characters`)
}

describe('an invite (I1)', () => {
  for (const { name, random, bytes, text, keys } of fixtures)
    it(`is frozen: ${name}`, () => {
      const invite = inviteOf(Buffer.from(random, 'hex'))
      assert.equal(invite.bytes.toString('hex'), bytes)
      assert.equal(formatInvite(invite), text)
      assert.deepEqual(parseInvite(text).bytes, invite.bytes)
      const hex = Object.entries(inviteKeysOf(invite)).map(([key, value]) => [
        key,
        typeof value === 'number' ? value : value.toString('hex'),
      ])
      assert.deepEqual(Object.fromEntries(hex), keys)
    })

  it('has one written form, and reads back', () => {
    fc.assert(
      fc.property(randoms, (random) => {
        const invite = inviteOf(random)
        const text = formatInvite(invite)
        assert.match(text, /^p[0-9a-z]{4}(-[0-9a-z]{5}){5}$/)
        assert.ok(isInvite(text))
        assert.deepEqual(parseInvite(text).bytes, invite.bytes)
        // All but the five bits of the format are the caller's.
        assert.deepEqual(invite.bytes.subarray(1), random.subarray(1))
        assert.equal(invite.bytes[0]! & 7, random[0]! & 7)
      }),
    )
  })

  it('is read in any case, with any spaces and dashes, and with o, i and 1 for what they look like', () => {
    const variants: ((text: string) => string)[] = [
      (text) => text.toUpperCase(),
      (text) => text.replaceAll('-', ' '),
      (text) => text.replaceAll('-', ''),
      (text) => ` ${text.replaceAll('-', ' \u2013 ')}\n`,
      (text) => text.replaceAll('0', 'O').replaceAll('l', 'I'),
      (text) => text.replaceAll('0', 'o').replaceAll('l', '1'),
    ]
    fc.assert(
      fc.property(texts, fc.constantFrom(...variants), (text, vary) => {
        assert.ok(isInvite(vary(text)))
        assert.deepEqual(parseInvite(vary(text)), parseInvite(text))
      }),
    )
  })

  it('with up to four wrong characters is refused, before anything is sent anywhere', () => {
    const wrong = fc.uniqueArray(fc.tuple(fc.nat(29), fc.constantFrom(...ALPHABET)), {
      minLength: 1,
      maxLength: 4,
      selector: ([at]) => at,
    })
    fc.assert(
      fc.property(texts, wrong, (text, changes) => {
        const characters = [...text.replaceAll('-', '')]
        for (const [at, instead] of changes) characters[at] = instead
        const changed = characters.join('')
        fc.pre(changed !== text.replaceAll('-', ''))
        assert.ok(isInvite(changed))
        refusal(changed)
      }),
      fixed,
    )
  })

  it('with two neighbours swapped, one lost or one doubled is refused', () => {
    fc.assert(
      fc.property(texts, fc.nat(28), (text, at) => {
        const plain = text.replaceAll('-', '')
        const [a, b] = [plain[at]!, plain[at + 1]!]
        if (a !== b) refusal(plain.slice(0, at) + b + a + plain.slice(at + 2))
        refusal(plain.slice(0, at) + plain.slice(at + 1))
        refusal(plain.slice(0, at) + a + plain.slice(at))
      }),
      fixed,
    )
  })

  it('any other text is refused without an echo', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 })), (text) => {
        refusal(text)
      }),
      fixed,
    )
  })

  const data = (format: number): string =>
    bech32m
      .encode('shoali', bech32m.toWords(Buffer.concat([Buffer.of(format << 3), Buffer.alloc(14)])), false)
      .slice(7)
  const cases: [name: string, text: string, message: RegExp][] = [
    ['the empty text', '', /30 letters and digits, this one has 0$/],
    ['another format', data(2), /of format 2, this version reads format 1$/],
    ['a b', `b${data(1).slice(1)}`, /^character 1 .* letters but b, and digits$/],
    [
      'a letter outside ASCII that folds into k',
      `${data(1).slice(0, 8)}\u212a${data(1).slice(9)}`,
      /character 9 /,
    ],
    [
      'a secret',
      formatSecret(writeSecretOf(Buffer.alloc(32, 3))),
      /character 28 |letters and digits, this one has 66$/,
    ],
    [
      'another prefix',
      bech32m.encode('shoalx', bech32m.toWords(Buffer.alloc(15, 8)), false).slice(7),
      /checksum/,
    ],
  ]
  for (const [name, text, message] of cases)
    it(`refuses ${name}`, () => {
      assert.match(refusal(text), message)
    })

  it('is not taken for a secret, nor a secret for an invite', () => {
    const write = writeSecretOf(Buffer.alloc(32, 3))
    for (const grade of GRADES) assert.ok(!isInvite(formatSecret(deriveSecret(write, grade))))
    for (const text of [
      '',
      'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN',
      '/srv/photos',
      'shoalw1qqq qqq qqq',
      'one two',
    ])
      assert.ok(!isInvite(text), text)
    // Meant as one, though it is wrong.
    assert.ok(isInvite('p50kh cr62t p5sx8'))
  })

  it('gives other keys for every other code, and none of them tells the code or another', () => {
    const seen = new Set<string>()
    for (let i = 0; i < 50; i++) {
      const { name, ...keys } = inviteKeysOf(inviteOf(Buffer.alloc(INVITE_BYTES, i + 1)))
      assert.ok(name >= 0 && name < INVITE_NAMES)
      for (const key of Object.values(keys)) seen.add(key.toString('hex'))
    }
    assert.equal(seen.size, 50 * 4)
  })

  it('never prints by accident', () => {
    const invite = inviteOf(Buffer.alloc(INVITE_BYTES, 7))
    assert.equal(inspect(invite), '[invite]')
    assert.equal(JSON.stringify({ invite }), '{"invite":"[invite]"}')
    assert.equal(inspect(inviteKeysOf(invite)), '[keys of an invite]')
    fc.assert(
      fc.property(texts, fc.constantFrom('-', ' ', ''), (text, separator) => {
        const written = text.replaceAll('-', separator)
        assert.equal(redactSecrets(`a ${written}.`), 'a p[invite].')
        assert.equal(redactSecrets(written.toUpperCase()), 'P[invite]')
      }),
    )
  })
})
