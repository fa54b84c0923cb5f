// Requests of every kind from a seeded stream of numbers: sound ones made from the schemas of the calls, the same with
// something broken, and rubbish.
import { z } from 'zod'
import { ROUTES } from '../../../src/control/calls.js'
import type { Route } from '../../../src/control/route.js'

export type Random = () => number
type Json = unknown

interface Schema {
  readonly type?: string
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly items?: Schema
  readonly pattern?: string
  readonly minimum?: number
}

export interface Noise {
  readonly method: string
  readonly path: string
  readonly query: string
  readonly body: string
}

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!

/** Texts that calls take: paths, places, ids, names, words; and some that none should. */
const TEXTS = [
  ...[
    '0',
    '1',
    '2',
    '9999',
    'true',
    'false',
    'a.txt',
    'sub',
    'sub/b.txt',
    'gone',
    'now',
    'all',
    'read',
    'write',
    'blind',
  ],
  ...[
    'a'.repeat(64),
    'f'.repeat(64),
    '00000000',
    'deadbeef',
    'v1',
    '20261120-180203',
    'this',
    'other',
    'both',
    'abc',
  ],
  ...[
    '',
    '.',
    '..',
    '../../etc/passwd',
    '/etc/passwd',
    '.shoal',
    '.shoal/archive',
    '.shoal/id',
    'sub/../a.txt',
    'a\0b',
  ],
  ...[
    '~',
    '*',
    '%00',
    '%2e%2e',
    '\ud800',
    '\u{1f600}',
    'é',
    'x'.repeat(5000),
    'sub/'.repeat(500),
    '\n',
    '__proto__',
  ],
  ...[
    'constructor',
    'toString',
    '-1',
    '1e9',
    ' 1',
    '0x10',
    'null',
    '{}',
    '2026-11-21T00:00:00.000Z',
    'shoalw1qqqqqqqqqqqq',
  ],
]
const JUNK: readonly Json[] = [
  ...[
    null,
    true,
    false,
    0,
    1,
    2,
    -1,
    0.5,
    1e308,
    -1e308,
    2 ** 53,
    '',
    [],
    {},
    [[]],
    [null],
    { a: {} },
    [0, '0', {}],
  ],
  ...TEXTS,
]
const RAW = [
  ...[
    '',
    '{',
    '}',
    'null',
    '[]',
    '""',
    '0',
    '{"share":',
    '{"share":0}x',
    '\ufeff{}',
    '{"a":1,"a":2}',
    '[1,2',
    'NaN',
    '\0',
  ],
  ...[
    '{"__proto__":{"share":0}}',
    '{"constructor":{"prototype":{}}}',
    `${'['.repeat(20_000)}`,
    `{"share":${'9'.repeat(400)}}`,
  ],
  ...[
    '{"share":1e999}',
    '{"share":-0}',
    '{"share":0,"path":"\\ud800"}',
    '{"share":{"$ref":"#"}}',
    '\xff\xfe{\x00}\x00',
  ],
]

const CALLS = (Object.values(ROUTES) as Route<unknown, unknown>[])
  // The daemon is still wanted.
  .filter(({ path }) => path !== '/v1/stop')
  .map(({ method, path, input }) => ({
    ...{ method, path },
    schema:
      input === undefined
        ? undefined
        : (z.toJSONSchema(input as z.ZodType, { io: 'input', unrepresentable: 'any' }) as Schema),
  }))
const PAGES = ['/openapi.json', '/metrics', '/health', '/ready', '/v1/events', '/api', '/', '/v1', '/v1/none']
/** BitTorrent Sync's API, but for the end of the daemon. */
const OLD_CALLS =
  'get_folders add_folder remove_folder get_files set_file_prefs get_folder_peers get_secrets get_folder_prefs set_folder_prefs get_folder_hosts set_folder_hosts get_prefs set_prefs get_os get_version get_speed none'.split(
    ' ',
  )
const OLD_KEYS = [
  'secret',
  'dir',
  'path',
  'download',
  'hosts',
  'type',
  'force',
  'selective_sync',
  'use_dht',
  'search_lan',
]
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'get', '']

/** A request, more likely of a call that there is than not. */
export function noise(random: Random): Noise {
  const kind = random()
  if (kind < 0.1)
    return {
      method: pick(random, METHODS),
      path: random() < 0.5 ? pick(random, PAGES) : `/${pick(random, TEXTS)}`,
      query: random() < 0.5 ? '' : queryOf({ [pick(random, TEXTS)]: pick(random, JUNK) }),
      body: random() < 0.5 ? '' : pick(random, RAW),
    }
  if (kind < 0.15) {
    const input = {
      method: pick(random, OLD_CALLS),
      ...Object.fromEntries(OLD_KEYS.filter(() => random() < 0.4).map((key) => [key, pick(random, JUNK)])),
    }
    return { method: 'GET', path: '/api', query: queryOf(input), body: '' }
  }
  let call = pick(random, CALLS)
  // These look at the disk for as long as they take, and take nothing that could be wrong.
  while (/scan|settle/.test(call.path) && random() < 0.9) call = pick(random, CALLS)
  const method = random() < 0.95 ? call.method : pick(random, METHODS)
  const sound = call.schema === undefined ? {} : soundOf(call.schema, random)
  const value = random() < 0.4 ? sound : broken(sound, random)
  if (call.method === 'GET') return { method, path: call.path, query: queryOf(value), body: '' }
  const body = random() < 0.1 ? pick(random, RAW) : (JSON.stringify(value) ?? '')
  return {
    method,
    path: call.path,
    query: '',
    body: random() < 0.05 ? body.slice(0, body.length * random()) : body,
  }
}

/** A value that a schema takes, as far as its patterns are met by any of the texts. */
function soundOf(schema: Schema, random: Random): Json {
  const { type, anyOf, oneOf, properties, items, pattern, minimum } = schema
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return pick(random, schema.enum)
  const choices = anyOf ?? oneOf
  if (choices !== undefined) return soundOf(pick(random, choices), random)
  switch (type) {
    case 'object':
      return Object.fromEntries(
        Object.entries(properties ?? {})
          .filter(() => random() < 0.9)
          .map(([name, inner]) => [name, soundOf(inner, random)]),
      )
    case 'array':
      return Array.from({ length: Math.floor(random() * 3) }, () => soundOf(items ?? {}, random))
    case 'integer':
    case 'number':
      // Often a place: there is one share.
      return random() < 0.6
        ? Math.max(0, minimum ?? 0)
        : Math.floor(random() * 2 ** pick(random, [2, 10, 31, 45]))
    case 'boolean':
      return random() < 0.5
    case 'null':
      return null
    case 'string': {
      const fits = pattern === undefined ? TEXTS : TEXTS.filter((text) => new RegExp(pattern, 'u').test(text))
      return fits.length === 0 ? pick(random, TEXTS) : pick(random, fits)
    }
    default:
      return pick(random, JUNK)
  }
}

/** The same with one thing broken. */
function broken(value: Json, random: Random): Json {
  if (typeof value !== 'object' || value === null || random() < 0.1) return pick(random, JUNK)
  const entries = Object.entries(value)
  const at = Math.floor(random() * entries.length)
  const change = random()
  if (change < 0.2) return { ...value, [pick(random, TEXTS)]: pick(random, JUNK) }
  if (change < 0.4) return Object.fromEntries(entries.filter((_, i) => i !== at))
  return Object.fromEntries(
    entries.map(([name, inner], i) => [name, i === at ? broken(inner, random) : inner]),
  )
}

function queryOf(value: Json): string {
  if (typeof value !== 'object' || value === null) return encode(String(value))
  return Object.entries(value)
    .map(
      ([name, inner]) =>
        `${encode(name)}=${encode(typeof inner === 'object' ? JSON.stringify(inner) : String(inner))}`,
    )
    .join('&')
}

/** Half a surrogate pair has no encoding. */
function encode(text: string): string {
  return encodeURIComponent(text.replace(/[\ud800-\udfff]/g, '%'))
}
