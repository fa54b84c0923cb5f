import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { isHidden } from '../../src/config/proxy.js'
import type { ShoalError } from '../../src/core/error.js'

const SECRET = 'shoalw1-never-shown-9921'

function parse(keys: object): ReturnType<typeof parseConfig> {
  return parseConfig(JSON.stringify({ storage_path: '/s', ...keys }), '/etc/shoal.conf')
}

function faultOf(keys: object): string {
  try {
    parse(keys)
  } catch (thrown) {
    return (thrown as ShoalError).message
  }
  return 'nothing'
}

const SOCKS = { proxy_type: 'SOCKS5', proxy_addr: 'proxy.example', proxy_port: '1080' }

test('proxy: the six keys of old files make one proxy, and none where the type is another text', () => {
  const login = { proxy_auth: true, proxy_username: 'alice', proxy_password: SECRET }
  assert.deepEqual(parse({ ...SOCKS, ...login }).config.proxy, {
    ...{ type: 'socks5', host: 'proxy.example', port: 1080, allowsDirect: false },
    ...{ username: 'alice', password: SECRET },
  })
  // As BitTorrent Sync's sample has them.
  const unused = { proxy_addr: '', proxy_port: 0, proxy_auth: false, proxy_username: '', proxy_password: '' }
  for (const type of [undefined, '', 'none', 'system'])
    assert.equal(parse({ ...unused, proxy_type: type }).config.proxy, undefined)
  assert.equal(
    parse({ ...SOCKS, proxy_username: 'alice' }).config.proxy?.username,
    undefined,
    'without proxy_auth',
  )
})

test('proxy: what is missing or cannot be is told, and never the password', () => {
  const cases: [object, RegExp][] = [
    [{ proxy_type: 'socks4' }, /proxy_addr: is missing or no host[\s\S]*proxy_port: is missing/],
    [{ ...SOCKS, proxy_addr: 'http://proxy.example/' }, /proxy_addr: is missing or no host/],
    [{ ...SOCKS, proxy_auth: 1 }, /proxy_username: is missing or too long/],
    [
      { ...SOCKS, proxy_auth: 1, proxy_username: 'a', proxy_password: SECRET.repeat(20) },
      /proxy_password: is too long, expected at most 255 bytes/,
    ],
  ]
  for (const [keys, expected] of cases) {
    const message = faultOf(keys)
    assert.match(message, expected)
    assert.ok(!message.includes(SECRET))
  }
})

test('proxy: nothing may go past it unless that is asked for, and what therefore is off is told', () => {
  const share = { secret: { file: 's' }, dir: '/d', use_dht: true, vault: 's3://bucket/x' }
  const keys = { ...SOCKS, bootstrap: ['192.0.2.1:1'], shared_folders: [share] }
  const hidden = parse(keys)
  assert.ok(isHidden(hidden.config.proxy))
  assert.deepEqual(
    hidden.warnings.map(({ text }) => text.replace(/^.*?: /, '')),
    [
      'shared_folders[0].use_dht: is off behind the proxy: it would show the address of this machine; see proxy_allow_direct',
      'shared_folders[0].vault: is in a bucket, which is reached directly and not through the proxy',
    ].sort((a, b) => (a.includes('vault') ? 1 : b.includes('vault') ? -1 : 0)),
  )
  const open = parse({ ...keys, proxy_allow_direct: true })
  assert.ok(!isHidden(open.config.proxy))
  assert.deepEqual(open.warnings, [])
  assert.ok(!isHidden(undefined))
})
