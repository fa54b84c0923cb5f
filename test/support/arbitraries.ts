// Arbitrary values of the core's types for property tests: versions, entries made by writers that really saw what their
// vectors say (a causal history), entries that nobody could have made, and names that a disk may hold.
import fc from 'fast-check'
import {
  type DirectoryEntry,
  type Entry,
  type Extra,
  type FileEntry,
  NO_EXTRA,
  type SymlinkEntry,
  type Tombstone,
} from '../../src/core/entry.js'
import { blake3 } from '../../src/core/hash.js'
import type { WriterId } from '../../src/core/ids.js'
import { mergeHeads, NO_HEADS, viewOf } from '../../src/core/merge.js'
import type { RelPath } from '../../src/core/path.js'
import { advance, NO_VERSION, type Version } from '../../src/core/version.js'

/** The n-th writer, in the order that vectors sort them. */
export function writer(n: number): WriterId {
  return n.toString(16).padStart(16, '0') as WriterId
}

/** A version from counters by writer number: `vector({ 1: 3 })`. */
export function vector(counters: Readonly<Record<number, number>>): Version {
  return Object.entries(counters)
    .map(([n, counter]): readonly [WriterId, number] => [writer(Number(n)), counter])
    .sort(([a], [b]) => (a < b ? -1 : 1))
}

/** A path that the test itself vouches for. */
export function path(text: string): RelPath {
  return text as RelPath
}

/** The content id that stands for a text in tests. */
export function contentOf(text: string): Buffer {
  return blake3(Buffer.from(text))
}

interface Recorded {
  readonly at?: string
  readonly by?: number
  readonly origin?: number
  readonly mtimeUs?: number
  readonly mode?: number
  readonly extra?: Extra
}

function base(version: Readonly<Record<number, number>>, { at = 'f', by, origin, extra }: Recorded) {
  const author = writer(by ?? Number(Object.keys(version)[0] ?? 1))
  return {
    path: path(at),
    version: vector(version),
    author,
    origin: origin === undefined ? author : writer(origin),
    extra: extra ?? NO_EXTRA,
  }
}

export function file(
  version: Readonly<Record<number, number>>,
  content: string,
  more: Recorded = {},
): FileEntry {
  return {
    ...base(version, more),
    type: 'file',
    mode: more.mode ?? 0o644,
    mtimeUs: more.mtimeUs ?? 1000,
    size: content.length,
    content: contentOf(content),
    pieces: content === '' ? [] : [{ first: 0, count: 1 }],
  }
}

export function directory(version: Readonly<Record<number, number>>, more: Recorded = {}): DirectoryEntry {
  return {
    ...base(version, more),
    type: 'directory',
    mode: more.mode ?? 0o755,
    mtimeUs: more.mtimeUs ?? 1000,
  }
}

export function symlink(
  version: Readonly<Record<number, number>>,
  target: string,
  more: Recorded = {},
): SymlinkEntry {
  return { ...base(version, more), type: 'symlink', mtimeUs: more.mtimeUs ?? 1000, target }
}

export function tombstone(
  version: Readonly<Record<number, number>>,
  more: Recorded & { readonly was?: Tombstone['was'] } = {},
): Tombstone {
  return { ...base(version, more), type: 'tombstone', mtimeUs: more.mtimeUs ?? 1000, was: more.was }
}

const smallNumber = fc.integer({ min: 0, max: 3 })

/** Versions of up to four writers with small counters, so that all orders occur. */
export const versions: fc.Arbitrary<Version> = fc
  .dictionary(
    smallNumber.map((n) => String(n + 1)),
    fc.integer({ min: 1, max: 4 }),
    { noNullPrototype: true },
  )
  .map((counters) => vector(counters as Record<number, number>))

const extras: fc.Arbitrary<Extra> = fc
  .uniqueArray(fc.integer({ min: 1, max: 3 }), { maxLength: 2 })
  .chain((tags) =>
    fc.tuple(
      ...tags
        .sort((a, b) => a - b)
        .map((tag) =>
          fc
            .uint8Array({ maxLength: 2 })
            .map((bytes): readonly [number, Buffer] => [tag, Buffer.from(bytes)]),
        ),
    ),
  )

/** What an entry says besides who and when, from few enough values that equal ones meet. */
export interface Said {
  readonly kind: Entry['type']
  readonly content: number
  readonly mtimeUs: number
  readonly mode: number
  readonly extra: Extra
}

export const sayings: fc.Arbitrary<Said> = fc.record({
  kind: fc.constantFrom(
    'file' as const,
    'file' as const,
    'directory' as const,
    'symlink' as const,
    'tombstone' as const,
  ),
  content: smallNumber,
  mtimeUs: fc.constantFrom(-1, 0, 1_000_000, 1_000_001, 5_000_000),
  mode: fc.constantFrom(0o644, 0o755, 0o4755),
  extra: fc.oneof({ weight: 4, arbitrary: fc.constant(NO_EXTRA) }, { weight: 1, arbitrary: extras }),
})

/** An entry that says so, at path `f`. */
export function entryFrom(said: Said, version: Version, author: WriterId, origin: WriterId): Entry {
  const common = { path: path('f'), version, author, origin, extra: said.extra, mtimeUs: said.mtimeUs }
  switch (said.kind) {
    case 'file': {
      const text = `content ${said.content}`
      return {
        ...common,
        type: 'file',
        mode: said.mode,
        size: text.length,
        content: contentOf(text),
        pieces: [{ first: said.content, count: 1 }],
      }
    }
    case 'directory':
      return { ...common, type: 'directory', mode: said.mode }
    case 'symlink':
      return { ...common, type: 'symlink', target: `target ${said.content}` }
    case 'tombstone':
      return {
        ...common,
        type: 'tombstone',
        was: said.content === 0 ? undefined : { mode: said.mode, mtimeUs: said.mtimeUs },
      }
  }
}

/** Entries of one path that need not make sense together: any vectors, equal ones for different contents included. */
export const arbitraryEntries: fc.Arbitrary<Entry[]> = fc.array(
  fc
    .tuple(sayings, versions, smallNumber, smallNumber)
    .map(([said, version, author, origin]) =>
      entryFrom(said, version, writer(author + 1), writer(origin + 1)),
    ),
  { maxLength: 7 },
)

/**
 * Entries of one path as up to four writers could have made them: each publishes on top of what it has seen (its view),
 * or on top of an older state of its own (V1), and hears of the others' in between.
 */
export const causalEntries: fc.Arbitrary<Entry[]> = fc
  .array(
    fc.record({
      by: smallNumber,
      said: sayings,
      hears: fc.array(fc.nat(9), { maxLength: 3 }),
      stale: fc.boolean(),
    }),
    { minLength: 1, maxLength: 9 },
  )
  .map((operations) => {
    const made: Entry[] = []
    const seen = new Map<number, { heads: typeof NO_HEADS; stale: Version }>()
    const counters = new Map<number, number>()
    for (const { by, said, hears, stale } of operations) {
      const before = seen.get(by) ?? { heads: NO_HEADS, stale: NO_VERSION }
      const heard = hears.flatMap((n) => made[n] ?? [])
      const heads = mergeHeads(before.heads, heard)
      const version = viewOf(heads).version
      const counter = (counters.get(by) ?? 0) + 1
      counters.set(by, counter)
      const author = writer(by + 1)
      const entry = entryFrom(said, advance(stale ? before.stale : version, author, counter), author, author)
      made.push(entry)
      seen.set(by, { heads: mergeHeads(heads, [entry]), stale: version })
    }
    return made
  })

/** Names that a listing may bring: plain, multi-byte, dotted, long. */
export const names: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 12, unit: 'grapheme' }),
    fc.string({ minLength: 1, maxLength: 90, unit: 'binary' }),
    fc.constantFrom('.profile', 'a.tar.gz', 'no extension', 'e.', '..x', '__proto__', '-rf', 'a\nb', 'é.txt'),
    fc.integer({ min: 200, max: 255 }).map((length) => 'x'.repeat(length)),
    fc
      .tuple(fc.constantFrom('é', '漢', '🐟'), fc.integer({ min: 1, max: 63 }))
      .map(([text, n]) => text.repeat(n)),
  )
  .filter(
    (name) =>
      name !== '.' &&
      name !== '..' &&
      name !== '' &&
      !/[/\0]/.test(name) &&
      name.isWellFormed() &&
      Buffer.byteLength(name) <= 255,
  )
