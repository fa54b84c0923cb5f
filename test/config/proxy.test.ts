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
    [{ ...SOCKS, proxy_addr: 'proxy.example:1080' }, /proxy_addr: is missing or no host.*without a port/],
    [{ ...SOCKS, proxy_addr: '[::1]:1080' }, /proxy_addr: is missing or no host/],
    [{ ...SOCKS, proxy_port: 0 }, /proxy_port: is missing or 0/],
    [
      { ...SOCKS, proxy_type: 'http_connect', proxy_auth: 1, proxy_username: 'a:b' },
      /proxy_username: has a colon/,
    ],
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

test('proxy: a password without its quotes is not shown, as none of any other place is', () => {
  const number = 4711471147
  const share = { secret: number, dir: '/d' }
  for (const keys of [
    { ...SOCKS, proxy_auth: 1, proxy_username: number, proxy_password: number },
    { webui: { login: 'a', password: number, password_hash: number, api_key: number } },
    { shared_folders: [share] },
  ]) {
    const message = faultOf(keys)
    assert.match(message, /: is no text, expected/)
    assert.ok(!message.includes(String(number)), message)
  }
  assert.match(faultOf({ webui: { login: number } }), /webui\.login: is 4711471147, expected a name without/)
})

test('proxy: addresses are names, IPv4 or IPv6, in brackets or not', () => {
  for (const [addr, host] of [
    ['proxy', 'proxy'],
    ['10.0.0.1', '10.0.0.1'],
    ['fd00::1', 'fd00::1'],
    ['[fd00::1]', 'fd00::1'],
  ])
    assert.equal(parse({ ...SOCKS, proxy_addr: addr }).config.proxy?.host, host)
})

test('proxy: what leaves this machine without one, or without its login, is told', () => {
  const cases: [object, RegExp][] = [
    [
      { ...SOCKS, proxy_type: 'https_connect' },
      /proxy_type: is no kind of proxy that is known, so none is used/,
    ],
    [{ proxy_addr: 'proxy.example', proxy_port: 1 }, /proxy_addr: has no effect without "proxy_type"/],
    [{ ...SOCKS, proxy_password: SECRET }, /proxy_auth: is not true, so no name and password/],
    [
      { ...SOCKS, proxy_type: 'socks4', proxy_auth: 1, proxy_username: 'a', proxy_password: SECRET },
      /proxy_password: has no effect: SOCKS4/,
    ],
  ]
  for (const [keys, expected] of cases) {
    const told = parse({ shared_folders: [{ secret: { file: 's' }, dir: '/d' }], ...keys }).warnings
    assert.equal(told.length, 1)
    assert.match(told[0]!.text, expected)
    assert.ok(!told[0]!.text.includes(SECRET))
  }
})

test('proxy: nothing may go past it unless that is asked for, and what therefore is off is told', () => {
  const share = { secret: { file: 's' }, dir: '/d', use_dht: true, vault: 's3://bucket/x' }
  const ways = { use_upnp: true, external_port: 443, dht_node: true }
  const keys = { ...SOCKS, ...ways, bootstrap: ['192.0.2.1:1'], shared_folders: [share] }
  const hidden = parse(keys)
  assert.ok(isHidden(hidden.config.proxy))
  assert.deepEqual(
    hidden.warnings.map(({ text }) => text.replace(/^.*?: /, '')).sort(),
    [
      ...['dht_node', 'external_port', 'shared_folders[0].use_dht', 'use_upnp'].map(
        (key) =>
          `${key}: is off behind the proxy: it would show the address of this machine; see proxy_allow_direct`,
      ),
      'shared_folders[0].vault: is in a bucket, which is reached directly and not through the proxy',
    ].sort(),
  )
  const open = parse({ ...keys, proxy_allow_direct: true })
  assert.ok(!isHidden(open.config.proxy))
  assert.deepEqual(open.warnings, [])
  assert.ok(!isHidden(undefined))
})
