// Configurations as they break in the wild: a sound text, broken in one to three of many ways by a seeded stream of
// numbers, so that a failure names the seed that makes it again.
import { type Node, parseTree } from 'jsonc-parser'

/** Numbers from 0 up to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

type Random = () => number
type Mutation = (text: string, random: Random) => string

const pick = <T>(random: Random, items: readonly T[]): T => items[Math.floor(random() * items.length)]!
const anywhere = (text: string, random: Random): number => Math.floor(random() * (text.length + 1))
const insert = (text: string, at: number, what: string): string => text.slice(0, at) + what + text.slice(at)

const JUNK = [
  ...[
    'null',
    'true',
    'false',
    '0',
    '1',
    '-1',
    '""',
    '"x"',
    '[]',
    '{}',
    '[[]]',
    '{"a": 1}',
    '"true"',
    '"12"',
    '[null]',
  ],
  ...[
    '{"file": "/nonexistent"}',
    '{"file": 5}',
    '"/"',
    '"..."',
    '["a:1", 7]',
    '"\\ud800"',
    '"a\\u0000b"',
    '"\\n"',
  ],
]
const HUGE = [
  '1e999',
  '-1e308',
  '99999999999999999999999',
  '1e15',
  '0.1e-400',
  '65536',
  '"9999999999999999"',
  '1'.repeat(400),
]
const NOISE = [
  '"',
  "'",
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '//',
  '/*',
  '*/',
  '\\',
  '\r',
  '\n',
  '\u2028',
  '\ufeff',
  '#',
  '\u0007',
  'x',
]

/** Nothing for what an earlier mutation nested deeper than the parser can go. */
function treeOf(text: string): Node | undefined {
  return /\[{60}|(?:\{"a":){60}/.test(text) ? undefined : parseTree(text)
}

/** All values of the text, as far as it parses. */
function valuesIn(text: string): Node[] {
  const found: Node[] = []
  const todo = [treeOf(text)]
  for (let node = todo.pop(); node !== undefined; node = todo.pop()) {
    if (node.type === 'property') {
      const value = node.children?.[1]
      if (value !== undefined) todo.push(value)
    } else {
      found.push(node)
      // Shallow enough for every sound text, and a mutation may have nested more.
      if (found.length < 500) todo.push(...(node.children ?? []))
    }
  }
  return found
}

function replaceValue(text: string, random: Random, by: string): string {
  const values = valuesIn(text)
  if (values.length === 0) return insert(text, anywhere(text, random), by)
  const { offset, length } = pick(random, values)
  return text.slice(0, offset) + by + text.slice(offset + length)
}

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'wrong type': (text, random) => replaceValue(text, random, pick(random, JUNK)),
  truncated: (text, random) => text.slice(0, anywhere(text, random)),
  'duplicate key': (text, random) => {
    const properties = [...text.matchAll(/"[\w.]+"\s*:\s*(?:"[^"\n]*"|[\w.]+|\[[^\]]*\])/g)]
    if (properties.length === 0) return text + text
    const { 0: property, index } = pick(random, properties)
    return insert(text, index, `${property}, `)
  },
  'huge number': (text, random) => replaceValue(text, random, pick(random, HUGE)),
  NUL: (text, random) => insert(text, anywhere(text, random), '\0'),
  'deep nesting': (text, random) => {
    const depth = pick(random, [10, 63, 65, 1000, 100_000])
    const [open, close] = pick(random, [
      ['[', ']'],
      ['{"a":', '}'],
    ])
    return replaceValue(text, random, open.repeat(depth) + (random() < 0.5 ? `1${close.repeat(depth)}` : ''))
  },
  noise: (text, random) => insert(text, anywhere(text, random), pick(random, NOISE)),
  'a piece lost': (text, random) => {
    const at = anywhere(text, random)
    return text.slice(0, at) + text.slice(at + 1 + Math.floor(random() * 20))
  },
  'a piece twice': (text, random) => {
    const at = anywhere(text, random)
    return insert(text, at, text.slice(at, at + Math.floor(random() * 60)))
  },
  'a secret elsewhere': (text, random) => {
    const secret = /"(shoalw1[^"]*|A[A-Z2-7]{32})"/.exec(text)?.[1] ?? ''
    const part = secret.slice(0, 1 + Math.floor(random() * (secret.length + 10)))
    if (random() < 0.5)
      return replaceValue(text, random, pick(random, [`"${part}"`, `{"file": "${part}"}`, part]))
    return text.replace(/"[\w.]+"(?=\s*:)/g, (key) => (random() < 0.1 ? `"${part}"` : key))
  },
}

/** A broken text and what was done to it. Some are broken in a way that leaves them sound. */
export function mutate(
  text: string,
  seed: number,
): { readonly bytes: Buffer; readonly how: readonly string[] } {
  const random = randomOf(seed)
  const how: string[] = []
  let broken = text
  for (let left = 1 + Math.floor(random() * 3); left > 0; left--) {
    const name = pick(random, Object.keys(MUTATIONS))
    how.push(name)
    broken = MUTATIONS[name]!(broken, random)
  }
  const bytes = Buffer.from(broken)
  if (random() >= 0.1) return { bytes, how }
  const at = Math.floor(random() * (bytes.length + 1))
  const stray = Buffer.of(...pick(random, [[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf5]]))
  return {
    bytes: Buffer.concat([bytes.subarray(0, at), stray, bytes.subarray(at)]),
    how: [...how, 'no UTF-8'],
  }
}
