import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { inspect } from 'node:util'
import { bech32m } from '@scure/base'
import fc from 'fast-check'
import { ShoalError } from '../../src/core/error.js'
import { LABELS } from '../../src/core/keys.js'
import {
  deriveSecret,
  formatSecret,
  GRADES,
  type Grade,
  keysOf,
  parseSecret,
  type Secret,
  writeSecretOf,
} from '../../src/core/secret.js'
import { readFixture } from '../support/repository.js'

/** Frozen for ever: a change here means that existing shares can no longer be opened. */
const fixtures = readFixture('secrets.json') as SecretFixture[]

interface SecretFixture {
  readonly name: string
  readonly given: string
  readonly write: string
  readonly read: string
  readonly blind: string
  readonly seed: string
  readonly keys: Readonly<Record<string, string>>
}

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
const secrets = fc
  .tuple(seeds, fc.constantFrom<Grade>(...GRADES))
  .map(([seed, grade]) => deriveSecret(writeSecretOf(seed), grade))
// A fixed seed: that a message shares five characters with a secret by accident must not depend on the day.
const fixed = { seed: 20261121, numRuns: 300 }

/** The message of the SECRET_INVALID that the text must give, after checking that it echoes none of the text. */
function refusal(text: string): string {
  try {
    parseSecret(text)
  } catch (error) {
    assert.ok(error instanceof ShoalError, String(error))
    assert.equal(error.code, 'SECRET_INVALID')
    assert.deepEqual(error.details, {})
    assert.equal(error.cause, undefined)
    for (let at = 0; at + 5 <= text.length; at++) {
      const window = text.slice(at, at + 5)
      if (!/^shoal[wrb]?1?$|^hoal[wrb]1?$|^oal[wrb]1$/.test(window))
        assert.ok(!error.message.includes(window), `echoes ${window}`)
    }
    return error.message
  }
  assert.fail(`accepted a text of ${text.length} characters`)
}

function equalSecrets(a: Secret, b: Secret): void {
  assert.equal(a.grade, b.grade)
  assert.deepEqual(a.key, b.key)
  assert.deepEqual(a.publicKey, b.publicKey)
}

describe('derivations (K1)', () => {
  for (const fixture of fixtures) {
    it(`are frozen: ${fixture.name}`, () => {
      const write = parseSecret(fixture.given)
      assert.equal(write.key.toString('hex'), fixture.seed)
      for (const grade of GRADES) assert.equal(formatSecret(deriveSecret(write, grade)), fixture[grade])
      const { read, write: signing, relay, ...keys } = keysOf(write)
      const all = { ...keys, ...relay, ...read, ...signing }
      const hex = Object.entries(all).map(([name, value]) => [
        name,
        typeof value === 'string' ? value : value.toString('hex'),
      ])
      assert.deepEqual(Object.fromEntries(hex), fixture.keys)
    })
  }

  it('have a label each', () => {
    const labels = Object.values(LABELS)
    assert.equal(new Set(labels).size, labels.length)
    for (const label of labels) assert.match(label, /^shoal 2026-11 v1 [a-z0-9 ]+$/)
  })

  it('give every grade below the same keys, and no grade the keys above it', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const write = writeSecretOf(seed)
        const [w, r, b] = GRADES.map((grade) => keysOf(deriveSecret(write, grade)))
        assert.deepEqual({ ...w, grade: 0, write: undefined }, { ...r, grade: 0, write: undefined })
        assert.deepEqual({ ...r, grade: 0, read: undefined }, { ...b, grade: 0, read: undefined })
        assert.ok(w?.write !== undefined && r?.write === undefined && b?.write === undefined)
        assert.ok(r?.read !== undefined && b?.read === undefined)
      }),
      { numRuns: 50 },
    )
  })

  it('never go up', () => {
    const write = writeSecretOf(Buffer.alloc(32, 1))
    const up: [Grade, Grade][] = [
      ['read', 'write'],
      ['blind', 'write'],
      ['blind', 'read'],
    ]
    for (const [from, to] of up)
      assert.throws(() => deriveSecret(deriveSecret(write, from), to), { code: 'SECRET_GRADE' })
  })

  it('bind what lies below to P: a read key beside a foreign P meets neither share', () => {
    const ours = deriveSecret(writeSecretOf(Buffer.alloc(32, 1)), 'read')
    const theirs = deriveSecret(writeSecretOf(Buffer.alloc(32, 2)), 'read')
    const forged = keysOf({ ...ours, publicKey: theirs.publicKey })
    for (const secret of [ours, theirs]) {
      const keys = keysOf(secret)
      assert.notDeepEqual(forged.topic, keys.topic)
      assert.notDeepEqual(forged.authKey, keys.authKey)
      assert.notDeepEqual(forged.read?.stateKey, keys.read?.stateKey)
    }
  })
})

describe('text form (K2)', () => {
  it('round-trips', () => {
    fc.assert(
      fc.property(secrets, (secret) => {
        const text = formatSecret(secret)
        equalSecrets(parseSecret(text), secret)
        assert.equal(formatSecret(parseSecret(text)), text)
      }),
    )
  })

  it('refuses any change of one character', () => {
    fc.assert(
      fc.property(
        secrets,
        fc.nat(),
        fc.oneof(fc.constantFrom(...'qpzry9x8gf2tvdw0s3jn54khce6mua7l1bioQ \u212a'), fc.string()),
        (secret, where, instead) => {
          const text = formatSecret(secret)
          const at = where % text.length
          fc.pre(text[at] !== instead)
          refusal(text.slice(0, at) + instead + text.slice(at + 1))
        },
      ),
      fixed,
    )
  })

  it('refuses two letters in each other’s place, a letter lost, a letter doubled, all upper case', () => {
    fc.assert(
      fc.property(secrets, fc.nat(), (secret, where) => {
        const text = formatSecret(secret)
        const at = where % (text.length - 1)
        const [a, b] = [text.slice(at, at + 1), text.slice(at + 1, at + 2)]
        if (a !== b) refusal(text.slice(0, at) + b + a + text.slice(at + 2))
        refusal(text.slice(0, at) + text.slice(at + 1))
        refusal(text.slice(0, at) + a + text.slice(at))
        refusal(text.toUpperCase())
      }),
      fixed,
    )
  })

  it('refuses any text that is no secret, with SECRET_INVALID and without an echo', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string({ maxLength: 300 })), (text) => {
        refusal(text)
      }),
      fixed,
    )
  })

  const body = formatSecret(writeSecretOf(Buffer.alloc(32, 3)))
  const words = (bytes: number, first: number): number[] =>
    bech32m.toWords(Buffer.concat([Buffer.of(first), Buffer.alloc(bytes)]))
  const read = bech32m.encode('shoalr', words(64, 1), false)
  const cases: { name: string; text: string; message: RegExp }[] = [
    { name: 'the empty text', text: '', message: /not a secret: a text of 0 characters/ },
    { name: 'another version', text: bech32m.encode('shoalw', words(32, 2), false), message: /of format 2/ },
    {
      name: 'the length of another grade',
      text: bech32m.encode('shoalr', words(32, 1), false),
      message: /^a read secret has 117 characters, this one has 66$/,
    },
    {
      name: 'the prefix of another grade',
      text: `shoalb${read.slice(6)}`,
      message: /^a blind secret with a wrong character in it: its checksum does not match$/,
    },
    {
      name: 'a bit in the padding',
      text: bech32m.encode(
        'shoalw',
        words(32, 1).map((word, at, all) => (at === all.length - 1 ? word | 1 : word)),
        false,
      ),
      message: /canonical form: its padding is not zero/,
    },
    {
      name: 'a letter that never occurs',
      text: `${body.slice(0, 20)}B${body.slice(21)}`,
      message: /lower-case letters and digits only, not so character 21$/,
    },
    { name: 'a line end', text: `${body}\n`, message: /66 characters, this one has 67/ },
    { name: 'a leading space', text: ` ${body}`, message: /no space before or after/ },
    { name: 'all upper case', text: body.toUpperCase(), message: /lower case only/ },
    {
      name: 'an age key',
      text: 'AGE-SECRET-KEY-1QQQ',
      message: /begins with none of shoalw1, shoalr1, shoalb1/,
    },
  ]
  for (const { name, text, message } of cases)
    it(`refuses ${name}`, () => {
      assert.match(refusal(text), message)
    })

  it('never prints key material by accident', () => {
    const secret = writeSecretOf(Buffer.alloc(32, 9))
    assert.equal(inspect(secret), '[write secret]')
    assert.equal(JSON.stringify({ secret }), '{"secret":"[write secret]"}')
    assert.equal(inspect(keysOf(secret)), '[keys of a write secret]')
    assert.equal(JSON.stringify(keysOf(secret).read), '"[read keys]"')
    assert.equal(JSON.stringify(keysOf(secret).write), '"[write keys]"')
  })
})

describe('secrets of BitTorrent Sync (K3)', () => {
  it('accepts A and D as the same seed', () => {
    const tail = 'FIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN'
    equalSecrets(parseSecret(`A${tail}`), parseSecret(`D${tail}`))
    assert.equal(parseSecret(`A${tail}`).grade, 'write')
  })

  for (const kind of 'BCEFR')
    it(`refuses kind ${kind} and says what to do`, () => {
      const message = refusal(`${kind}FIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN`)
      assert.match(message, new RegExp(`kind ${kind} cannot be used.*read-write.*shoal secret show`))
    })

  it('refuses the long read-only kind too', () => {
    assert.match(refusal(`E${'ABCDEFGHIJKLMNOP'.repeat(4)}`), /kind E cannot be used/)
  })

  for (const text of [
    'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJE',
    'afivb7yuz4rsgtbi4z2via2y2rvf3ajen',
    `A${'1'.repeat(32)}`,
  ])
    it(`refuses ${text.length} characters of ${text.slice(0, 2)}...`, () => {
      refusal(text)
    })
})
