// What requests are let through before credentials are asked for: cases as data.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  canonicalAddress,
  formOf,
  hostNameOf,
  type OwnNames,
  type RequestHead,
} from '../../../src/control/web/request-form.js'

const NAMES: OwnNames = {
  hosts: ['nas.example', '2001:db8:0::7'],
  isOwnAddress: (address) => ['127.0.0.1', '::1', '192.0.2.1'].includes(address),
}
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0'

type Case = [changes: Partial<RequestHead>, headers?: Record<string, string>]

function head([changes, headers = {}]: Case): RequestHead {
  const all = { host: '127.0.0.1:8888', ...headers }
  const rawHeaders = Object.entries(all).flat()
  return { method: 'GET', target: '/v1/status', headers: all, rawHeaders, isTls: false, ...changes }
}

/** The status, or the path and query. */
function answered(case_: Case): number | string {
  const form = formOf(head(case_), NAMES)
  return 'response' in form ? form.response.status : `${form.path}?${form.query}`
}

describe('paths', () => {
  const right: [string, string][] = [
    ['/', '/?'],
    ['/v1/status', '/v1/status?'],
    ['/api?method=get_folders&secret=A%20B', '/api?method=get_folders&secret=A%20B'],
    ['/a?', '/a?'],
    ['/a?b?c', '/a?b?c'],
    ['/a.b/c-d_e~f/...', '/a.b/c-d_e~f/...?'],
  ]
  for (const [target, form] of right) it(`takes ${target}`, () => assert.equal(answered([{ target }]), form))

  const wrong = [
    ...['', '*', 'v1', 'http://127.0.0.1/v1/status', '//v1', '/v1//status', '/v1/', '/./v1', '/v1/.'],
    ...[
      '/../etc/passwd',
      '/v1/../v1/status',
      '/v1/..',
      '/%2e%2e/x',
      '/v1/%2E%2E/x',
      '/v1%2fstatus',
      '/v1\\status',
    ],
    ...[
      '/v1/status\0',
      '/v1/st\u00e4tus',
      '/v1/ status',
      '/v1;x=1',
      '/a#b',
      '/a?b=%00',
      '/a?b=\u0001',
      '/a?b c',
    ],
    `/${'a'.repeat(20_000)}`,
  ]
  for (const target of wrong)
    it(`refuses ${JSON.stringify(target.slice(0, 40))}`, () => assert.equal(answered([{ target }]), 400))
})

it('methods are those of the API', () => {
  for (const method of ['GET', 'POST', 'PUT', 'DELETE'])
    assert.equal(answered([{ method }, { origin: 'http://127.0.0.1:8888' }]), '/v1/status?')
  for (const method of ['HEAD', 'OPTIONS', 'TRACE', 'CONNECT', 'PATCH', 'get', ''])
    assert.equal(answered([{ method }]), 405)
})

it('a header that decides is there once', () => {
  for (const name of ['Host', 'Authorization', 'X-Api-Key', 'Origin', 'Content-Length', 'Sec-Fetch-Site']) {
    const twice = head([{}])
    assert.equal(
      answered([{ rawHeaders: [...twice.rawHeaders, name, 'a', name.toLowerCase(), 'a'] }]),
      400,
      name,
    )
  }
})

describe('the Host header (DNS rebinding)', () => {
  const ours = [
    ...[
      '127.0.0.1',
      '127.0.0.1:8888',
      '127.0.0.1:1',
      'localhost',
      'LOCALHOST:8888',
      'localhost.:8888',
      '[::1]:8888',
    ],
    ...[
      '[0:0:0:0:0:0:0:1]',
      '[::ffff:127.0.0.1]',
      '192.0.2.1',
      'nas.example',
      'NAS.Example:443',
      'nas.example.',
    ],
    ...['[2001:db8::7]:8888'],
  ]
  for (const host of ours) it(`takes ${host}`, () => assert.equal(answered([{}, { host }]), '/v1/status?'))
  const foreign = [
    ...[
      'evil.example',
      'nas.example.evil.example',
      'xnas.example',
      '192.0.2.2',
      '[2001:db8::8]',
      '127.1',
      '0x7f000001',
    ],
    ...['localhost.evil.example', '2130706433', '017700000001', 'evil.example:8888'],
  ]
  for (const host of foreign) it(`refuses ${host}`, () => assert.equal(answered([{}, { host }]), 403))
  for (const host of [
    '',
    ' ',
    'a b',
    '::1',
    '[::1',
    'a:b',
    'a:123456',
    'user@127.0.0.1',
    '127.0.0.1/',
    'a..b',
    'é',
  ])
    it(`understands no ${JSON.stringify(host)}`, () => assert.equal(answered([{}, { host }]), 400))
  it('understands none that is missing', () => assert.equal(answered([{ headers: {}, rawHeaders: [] }]), 400))
})

describe('browsers', () => {
  const OWN = 'http://127.0.0.1:8888'
  const BASIC = 'Basic YTpi'
  const taken: Case[] = [
    [{}, { 'sec-fetch-site': 'same-origin' }],
    [{}, { 'sec-fetch-site': 'none', authorization: BASIC, 'user-agent': FIREFOX }],
    [{ method: 'POST' }, { origin: OWN, 'sec-fetch-site': 'same-origin' }],
    [{ method: 'POST' }, { origin: OWN, authorization: BASIC, 'user-agent': FIREFOX }],
    [{}, { referer: `${OWN}/x?y`, 'sec-fetch-site': 'same-origin' }],
    [{}, { referer: OWN }],
    // A proxy speaks TLS before us.
    [{ method: 'POST' }, { origin: 'https://nas.example', host: 'nas.example' }],
    [{ isTls: true }, { origin: 'https://nas.example:8888', host: 'nas.example:8888' }],
    [{}, { authorization: BASIC, 'user-agent': 'curl/8.0' }],
    [{}, { authorization: BASIC }],
    [{}, { authorization: `Bearer ${'k'.repeat(20)}`, 'user-agent': FIREFOX }],
    [{}, { 'user-agent': FIREFOX }],
  ]
  for (const case_ of taken)
    it(`takes ${JSON.stringify(case_)}`, () => assert.equal(answered(case_), '/v1/status?'))
  const refused: Case[] = [
    [{}, { 'sec-fetch-site': 'cross-site' }],
    [{}, { 'sec-fetch-site': 'same-site' }],
    [{}, { 'sec-fetch-site': 'Same-Origin' }],
    [{ method: 'POST' }, { 'sec-fetch-site': 'none' }],
    // A link in a mail.
    [
      { target: '/api?method=shutdown' },
      { 'sec-fetch-site': 'none', authorization: BASIC, 'user-agent': FIREFOX },
    ],
    [{ target: '/api' }, { 'sec-fetch-site': 'none' }],
    [{}, { origin: 'http://evil.example' }],
    [{}, { origin: 'null' }],
    [{}, { origin: '' }],
    // Another port, another scheme, another name of the same machine: another site.
    [{}, { origin: 'http://127.0.0.1:8889' }],
    [{}, { origin: 'http://127.0.0.1' }],
    [{}, { origin: 'http://localhost:8888' }],
    [{}, { origin: `${OWN}.evil.example` }],
    [{ isTls: true }, { origin: OWN }],
    [{}, { referer: 'http://evil.example/127.0.0.1:8888' }],
    [{}, { referer: 'http://127.0.0.1:8888@evil.example/' }],
    [{}, { referer: 'http://127.0.0.1:88888/' }],
    // What a browser adds to <img src> on any page, where it says nothing of the page.
    [{}, { authorization: BASIC, 'user-agent': FIREFOX }],
    [{}, { authorization: 'bAsIc YTpi', 'user-agent': FIREFOX, referer: `${OWN}/` }],
  ]
  for (const case_ of refused)
    it(`refuses ${JSON.stringify(case_)}`, () => assert.equal(answered(case_), 403))
})

it('addresses have one spelling', () => {
  assert.equal(canonicalAddress('::ffff:192.0.2.1'), '192.0.2.1')
  assert.equal(canonicalAddress('2001:DB8:0:0::1'), '2001:db8::1')
  assert.equal(canonicalAddress('fe80::1%eth0'), undefined)
  assert.equal(canonicalAddress('nas'), undefined)
  assert.equal(hostNameOf('[FE80::1]:80'), 'fe80::1')
})
