// "webui": what it asks for, what is refused, and the files that it reads.
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { configCollisions } from '../../src/config/collisions.js'
import { type Config, parseConfig } from '../../src/config/config.js'
import { planReload, withLiveChanges } from '../../src/config/reload.js'
import { loadSecrets, secretFiles } from '../../src/config/secrets.js'
import type { LoadedWeb } from '../../src/config/webui.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { repository } from '../support/repository.js'

const FILE = '/etc/shoal/nas.conf'
const SECRET = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
const KEY = 'shoal-correct-horse-battery'
const HASH = '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'
const HERE = { listen: '127.0.0.1:8888' }
const OPEN = { listen: '192.0.2.1:8888' }

function parse(webui: object, root: object = {}): ReturnType<typeof parseConfig> {
  const shares = [{ secret: SECRET, dir: '/srv/data' }]
  return parseConfig(JSON.stringify({ storage_path: '/var/s', webui, shared_folders: shares, ...root }), FILE)
}

/** Every line that is said, without the file's name and the place. */
function refusal(webui: object, root: object = {}): string {
  try {
    parse(webui, root)
  } catch (error) {
    const { message } = error as Error
    for (const line of message.split('\n')) assert.match(line, /^\/etc\/shoal\/nas\.conf:\d+:\d+: webui\./)
    return message.replaceAll(/^\S+:\d+:\d+: /gm, '')
  }
  return 'nothing is refused'
}

const warnings = (webui: object): string[] =>
  parse(webui).warnings.map(({ key, message }) => `${key}: ${message}`)

describe('places', () => {
  const right: [string, string, number][] = [
    ['127.0.0.1:8888', '127.0.0.1', 8888],
    ['localhost:1', 'localhost', 1],
    ['[::1]:65535', '::1', 65_535],
  ]
  for (const [listen, host, port] of right)
    it(`takes ${listen}`, () => {
      const { config } = parse({ listen, api_key: KEY })
      assert.deepEqual([config.webui?.host, config.webui?.port], [host, port])
    })
  for (const listen of [
    ...[
      '8888',
      ':8888',
      '127.0.0.1',
      '127.0.0.1:0',
      '127.0.0.1:65536',
      '127.0.0.1:080',
      '::1:8888',
      '[127.0.0.1]:1',
    ],
    ...[
      'nas.example:8888',
      'http://127.0.0.1:8888',
      '127.0.0.1:8888/',
      '*:8888',
      '127.1:8888',
      '[::1%lo]:1x',
    ],
  ])
    it(`refuses ${listen}`, () =>
      assert.match(
        refusal({ listen, api_key: KEY }),
        /^webui\.listen: is a text of \d+ characters, expected "127/,
      ))
})

describe('who is let in', () => {
  it('is nobody without credentials: an error where others reach it, else nothing is served', () => {
    const halves = [
      {},
      { login: 'a' },
      { password: 'b' },
      { login: 'a', password: '' },
      { login: '', password: 'b' },
    ]
    for (const half of [...halves, { api_key: '' }, { login: 'a', password_hash: '' }]) {
      for (const listen of ['0.0.0.0:8888', '[::]:8888', '192.0.2.1:8888'])
        assert.match(refusal({ listen, ...half }), /^webui\.listen: would open .* without a login/)
      for (const listen of ['127.0.0.1:8888', '[::1]:8888', 'localhost:8888']) {
        assert.equal(parse({ listen, ...half }).config.webui, undefined)
        assert.match(warnings({ listen, ...half }).join(), /^webui\.listen: has no effect: nothing is served/)
      }
    }
    assert.match(refusal({ allow_empty_password: 1 }), /^webui\.allow_empty_password: would let anyone in/)
  })

  it('a key of BitTorrent Sync, which many have, lets nobody in', () => {
    const old = { api_key: 'BTSYNCKEY7'.repeat(10) }
    assert.equal(parse({ ...HERE, ...old }).config.webui, undefined)
    assert.match(refusal({ ...OPEN, ...old }), /^webui\.listen: would open .* without a login/)
    const said = warnings({ ...HERE, ...old })
    assert.ok(said.some((line) => line.startsWith('webui.api_key: lets nobody in: ')))
    assert.ok(said.some((line) => line.startsWith('webui.listen: has no effect: ')))
    const login = { login: 'ann', password: 'open sesame' }
    const { config, warnings: notes } = parse({ ...HERE, ...old, ...login })
    assert.deepEqual([config.webui?.login, config.webui?.apiKey], ['ann', undefined])
    assert.deepEqual(
      notes.map(({ key, isNote }) => [key, isNote]),
      [['webui.api_key', true]],
    )
  })

  it('may be nobody if nothing is to be served', () => {
    assert.deepEqual(warnings({ login: 'a', password: 'b', api_key: 'shoal-1', force_https: true }), [])
    assert.equal(parse({ login: 'a', password: 'b' }).config.webui, undefined)
  })

  const wrong: [object, RegExp][] = [
    [
      { api_key: `shoal-${'k'.repeat(13)}` },
      /^webui\.api_key: is a text of 19 characters, expected 20 .*openssl rand/,
    ],
    [{ api_key: `${KEY} and spaces` }, /^webui\.api_key: is a text of 38 characters/],
    [{ api_key: `shoal-${'ä'.repeat(20)}` }, /^webui\.api_key: /],
    [{ api_key: 5 }, /^webui\.api_key: is no text, expected a text in double quotes, or \{"file"/],
    [{ login: 'a:b', password: 'c' }, /^webui\.login: is a text of 3 characters, expected a name/],
    [{ login: 'a\n', password: 'c' }, /^webui\.login: /],
    [{ login: 'a', password: 'b\0' }, /^webui\.password: is a text of 2 characters, expected/],
    [{ login: 'a', password: 'b'.repeat(512) }, /^webui\.password: is a text of 512 characters/],
    [{ login: 'a', password: 'b', password_hash: HASH }, /^webui\.password_hash: stands beside "password"/],
    ...[
      'x',
      'xxPXOBO0tGybg',
      '$1$abc$.FiamM1s4pFo0QKAk4pqS.',
      '$6$salt$short',
      '$6$rounds=99999999$s$x',
      '$2b$31$x',
    ].map((hash): [object, RegExp] => [
      { login: 'a', password_hash: hash },
      /^webui\.password_hash: is a text of \d+ characters, expected a hash of crypt\(3\).*openssl passwd -6/,
    ]),
    [{ api_key: KEY, hosts: ['http://nas'] }, /^webui\.hosts\[0\]: /],
    [{ api_key: KEY, ssl_certificate: '/c' }, /^webui\.ssl_certificate: stands alone, expected both/],
    [{ api_key: KEY, ssl_private_key: '/c' }, /^webui\.ssl_private_key: stands alone, expected both/],
    [{ api_key: KEY, force_https: 1 }, /^webui\.force_https: is true without a certificate/],
    [
      { api_key: { file: '/srv/data/key' } },
      /^webui\.api_key: is a file in the folder of shared_folders\[0\]/,
    ],
    [
      { api_key: KEY, ssl_certificate: '/srv/data/c', ssl_private_key: '/k' },
      /^webui\.ssl_certificate: is a file in the folder of shared_folders\[0\]/,
    ],
  ]
  for (const [webui, says] of wrong)
    it(`refuses ${JSON.stringify(webui).slice(0, 70)}`, () => {
      const said = refusal({ ...HERE, ...webui })
      assert.match(said, says)
      for (const value of Object.values(webui))
        if (typeof value === 'string' && value.length > 3) assert.ok(!said.includes(value))
    })

  it('passwords and keys without TLS, and short ones, are warned of', () => {
    assert.deepEqual(warnings({ ...HERE, api_key: KEY }), [])
    assert.match(
      warnings({ ...OPEN, api_key: KEY }).join(),
      /^webui\.listen: sends passwords and keys over the network/,
    )
    assert.deepEqual(warnings({ ...OPEN, api_key: KEY, ssl_certificate: '/c', ssl_private_key: '/k' }), [])
    assert.match(
      warnings({ ...HERE, login: 'a', password: '123456789' }).join(),
      /^webui\.password: is short/,
    )
  })
})

describe('files', () => {
  const root = mkdtempSync(join(tmpdir(), 'shoal-webui-'))
  after(() => rmSync(root, { recursive: true }))
  const certificates = JSON.parse(
    readFileSync(new URL('test/fixtures/web-certificates.json', repository), 'utf8'),
  ) as Record<'one' | 'two', { certificate: string; privateKey: string }>
  const { one, two } = certificates
  const put = (name: string, text: string, mode = 0o600): string => {
    const file = join(root, name)
    writeFileSync(file, text)
    chmodSync(file, mode)
    return file
  }
  const load = async (webui: object): Promise<LoadedWeb | undefined> =>
    (await loadSecrets(parse({ ...HERE, ...webui }).config)).config.web

  it('hold passwords, hashes, keys and certificates', async () => {
    const api_key = { file: put('key', `${KEY}\n`) }
    const password = { file: put('password', ' open sesame \n') }
    const password_hash = { file: put('hash', `${HASH}\n`) }
    const certificate = put('cert.pem', one.certificate, 0o644)
    const privateKey = put('cert.key', one.privateKey)
    const tls = { ssl_certificate: certificate, ssl_private_key: privateKey, force_https: true }
    const place = { host: '127.0.0.1', port: 8888, hosts: ['nas.example'], dirWhitelist: ['/srv'] }
    const rest = { hosts: ['NAS.example'], dir_whitelist: ['/srv'] }
    assert.deepEqual(await load({ api_key, login: 'ann', password, ...tls, ...rest }), {
      ...place,
      login: { name: 'ann', password: { type: 'plain', text: 'open sesame' } },
      apiKey: KEY,
      tls: one,
    })
    assert.deepEqual(await load({ login: 'ann', password_hash, ...rest }), {
      ...place,
      login: { name: 'ann', password: { type: 'hash', text: HASH } },
    })
    const { config } = parse({ ...HERE, api_key, login: 'ann', password, ...tls })
    assert.deepEqual(
      new Set(secretFiles(config)),
      new Set([api_key.file, password.file, certificate, privateKey]),
    )
  })

  it('that others could read or write, that are missing or hold something else, are refused with their place', async () => {
    const certificate = put('c.pem', one.certificate, 0o644)
    const key = put('c.key', one.privateKey)
    const faults: [object, RegExp][] = [
      [
        { api_key: { file: put('open', KEY, 0o640) } },
        /webui\.api_key: .*other users have rights.*chmod 600/,
      ],
      [{ api_key: { file: join(root, 'missing') } }, /webui\.api_key: cannot read .*: no such file/],
      [
        { api_key: { file: put('short', 'short-key-of-mine') } },
        /webui\.api_key: in .*: is a text of 17 characters/,
      ],
      [{ api_key: { file: put('empty', '\n') } }, /webui\.api_key: in .*: is empty/],
      [{ api_key: { file: put('long', 'k'.repeat(5000)) } }, /webui\.api_key: cannot read .*: longer than/],
      [
        { login: 'a', password_hash: { file: put('plain', 'a plain password') } },
        /webui\.password_hash: in .*: is a text of 16 characters, expected a hash/,
      ],
      ...(
        [
          [
            certificate,
            put('open.key', one.privateKey, 0o644),
            /webui\.ssl_private_key: .*other users have rights/,
          ],
          [
            put('w.pem', one.certificate, 0o666),
            key,
            /webui\.ssl_certificate: .*can be changed by other users/,
          ],
          [
            certificate,
            put('two.key', two.privateKey),
            /ssl_private_key: .* is not the key of the certificate in/,
          ],
          [put('x.pem', 'x'), key, /webui\.ssl_certificate: .* holds no certificate in PEM form/],
          [certificate, put('x.key', 'x'), /webui\.ssl_private_key: .* holds no private key in PEM form/],
          [key, key, /webui\.ssl_certificate: .* holds no certificate/],
        ] as const
      ).map(([ssl_certificate, ssl_private_key, says]): [object, RegExp] => [
        { api_key: KEY, ssl_certificate, ssl_private_key },
        says,
      ]),
    ]
    for (const [webui, says] of faults)
      await assert.rejects(load(webui), ({ code, message }: Error & { code: string }) => {
        assert.equal(code, 'CONFIG_INVALID')
        assert.match(message, says)
        assert.match(message, /^\/etc\/shoal\/nas\.conf:1:\d+: /)
        for (const word of ['short-key', 'a plain', 'kkkk', 'MIG']) assert.ok(!message.includes(word), word)
        return true
      })
  })
})

describe('beside others', () => {
  it('changes at once, and the change shows no value', () => {
    const web = (apiKey: string): Config<never> => ({ ...parse({}).config, web: { apiKey } }) as never
    const plan = planReload(web('one'), web('two'))
    assert.deepEqual(plan, { live: [{ key: 'webui' }], restart: [] })
    assert.deepEqual(withLiveChanges(web('one'), web('two')).web, { apiKey: 'two' })
    assert.equal(withLiveChanges(web('one'), parse({}).config as never).web, undefined)
  })

  it('no two of a machine have one place', () => {
    const at = (name: string, listen: string) => {
      const root = { storage_path: `/var/${name}`, shared_folders: [] }
      const { config, positionOf } = parse({ listen, api_key: KEY }, root)
      return { name, config: { ...config, fileName: `/etc/${name}.conf` }, positionOf }
    }
    const collisions = (a: string, b: string): string[] =>
      configCollisions([at('a', a), at('b', b)]).map(({ text }) => text.replace(/:\d+:\d+/, ''))
    const said = [
      '/etc/b.conf: webui.listen: has port 1, and so has that of /etc/a.conf; expected a port each',
    ]
    assert.deepEqual(collisions('127.0.0.1:1', 'localhost:1'), said)
    assert.deepEqual(collisions('0.0.0.0:1', '192.0.2.1:1'), said)
    assert.deepEqual(collisions('127.0.0.1:1', '127.0.0.2:1'), [])
    assert.deepEqual(collisions('127.0.0.1:1', '127.0.0.1:2'), [])
  })
})
