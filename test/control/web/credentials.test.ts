// What lets in and what does not; hashes of crypt(3) by the machine's own libcrypt.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Credentials, shownIn } from '../../../src/control/web/credentials.js'
import { HashChecker } from '../../../src/control/web/crypt.js'

const KEY = 'shoal-correct-horse-battery'
const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`
const never = async (): Promise<boolean> => assert.fail('nothing to hash')

describe('what a request shows', () => {
  it('is a login, a key, nothing, or unreadable', () => {
    assert.deepEqual(shownIn(undefined, undefined), { type: 'nothing' })
    assert.deepEqual(shownIn(basic('a:b:c'), undefined), { type: 'login', name: 'a', password: 'b:c' })
    assert.deepEqual(shownIn(`basic ${basic('ä:ö').slice(6)} `, undefined), {
      ...{ type: 'login', name: 'ä', password: 'ö' },
    })
    assert.deepEqual(shownIn(`Bearer ${KEY}`, undefined), { type: 'key', key: KEY })
    assert.deepEqual(shownIn(undefined, KEY), { type: 'key', key: KEY })
    const unreadable: [string | undefined, string | undefined][] = [
      ...[
        KEY,
        'Basic',
        'Basic !!',
        'Digest x',
        'Basic YTpi YTpi',
        '',
        basic('no colon'),
        basic('a:b\0c'),
      ].map((text): [string, undefined] => [text, undefined]),
      [basic('a:b'), KEY],
      [basic(`a:${'b'.repeat(512)}`), undefined],
      [`Bearer ${'k'.repeat(5000)}`, undefined],
      [undefined, 'k'.repeat(5000)],
    ]
    for (const [authorization, key] of unreadable)
      assert.deepEqual(shownIn(authorization, key), { type: 'unreadable' }, authorization)
  })
})

describe('credentials', () => {
  const plain = { name: 'ann', password: { type: 'plain', text: 'open sesame' } } as const
  const asks: [string, string | undefined, string | undefined, boolean][] = [
    ['the key', `Bearer ${KEY}`, undefined, true],
    ['the key in its own header', undefined, KEY, true],
    ['a longer key', undefined, `${KEY}x`, false],
    ['a part of the key', undefined, KEY.slice(0, -1), false],
    ['no key', undefined, '', false],
    ['the login', basic('ann:open sesame'), undefined, true],
    ['another name', basic('bob:open sesame'), undefined, false],
    ['another password', basic('ann:open'), undefined, false],
    ['no password', basic('ann:'), undefined, false],
    ['no name', basic(':open sesame'), undefined, false],
    ['the name twice', basic('ann\0open:sesame'), undefined, false],
    ['the key as password', basic(`ann:${KEY}`), undefined, false],
    ['the password as key', undefined, 'open sesame', false],
    ['nothing', undefined, undefined, false],
  ]
  for (const [what, authorization, key, isRight] of asks)
    it(`${what} is ${isRight ? '' : 'not '}let in`, async () => {
      const credentials = new Credentials({ login: plain, apiKey: KEY }, never)
      assert.equal(await credentials.isRight(shownIn(authorization, key)), isRight)
    })

  it('a login alone knows no key, a key alone no login', async () => {
    const login = new Credentials({ login: plain }, never)
    for (const key of ['', 'undefined', KEY]) assert.equal(await login.isRight({ type: 'key', key }), false)
    const key = new Credentials({ apiKey: KEY }, never)
    assert.equal(await key.isRight({ type: 'login', name: '', password: '' }), false)
    assert.equal(await key.isRight({ type: 'login', name: 'undefined', password: 'undefined' }), false)
  })

  it('a right password is hashed once, a wrong one each time, whoever it is said to be', async () => {
    const asked: string[] = []
    const login = { name: 'ann', password: { type: 'hash', text: '$6$x' } } as const
    const credentials = new Credentials({ login }, async (password) => {
      asked.push(password)
      return password === 'right'
    })
    const show = (name: string, password: string): Promise<boolean> =>
      credentials.isRight({ type: 'login', name, password })
    assert.equal(await show('bob', 'right'), false)
    assert.equal(await show('ann', 'wrong'), false)
    assert.equal(await show('ann', 'right'), true)
    assert.equal(await show('ann', 'right'), true)
    assert.equal(await show('bob', 'right'), false)
    assert.equal(await show('ann', 'wrong'), false)
    assert.deepEqual(asked, ['right', 'wrong', 'right', 'right', 'wrong'])
  })
})

describe('crypt(3)', async () => {
  // Of the specification of SHA-crypt, and of crypt_blowfish's and libxcrypt's tests.
  const HASHES: [string, string][] = [
    [
      'Hello world!',
      '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
    ],
    ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
    ['U*U', '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'],
  ]
  const missing = await HashChecker.open(HASHES[1]![1]).then(
    () => undefined,
    ({ message }: Error) => message,
  )
  for (const [password, hash] of HASHES)
    it(`${hash.slice(0, 3)}: fits its password alone`, { skip: missing ?? false }, async () => {
      const checker = await HashChecker.open(hash)
      const others = ['', `${password} `, password.slice(1), hash, 'x'.repeat(511)]
      const [isRight, ...rest] = await Promise.all([password, ...others].map((each) => checker.fits(each)))
      assert.equal(isRight, true)
      assert.deepEqual(
        rest,
        others.map(() => false),
      )
    })

  it('what libcrypt does not know is told at the start, without a word of it', {
    skip: missing ?? false,
  }, async () => {
    for (const hash of ['$9$unknown$abc', '*', '*0', '', '$6$saltstring$short'])
      await assert.rejects(HashChecker.open(hash), ({ code, message }: Error & { code: string }) => {
        assert.ok(!message.includes('salt') && !message.includes('unknown'))
        return code === 'CONFIG_INVALID'
      })
  })

  it('few wait', { skip: missing ?? false }, async () => {
    const checker = await HashChecker.open(HASHES[1]![1])
    const asked = Array.from({ length: 16 }, () => checker.fits('x'))
    assert.ok(checker.isBusy)
    await Promise.all(asked)
    assert.ok(!checker.isBusy)
  })
})
