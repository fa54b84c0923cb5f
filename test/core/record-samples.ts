// Records to test with: one of each kind of entry, fixed for ever, and arbitrary ones that keep the rules of a record.
import fc from 'fast-check'
import { MAX_PLAINTEXT_BYTES } from '../../src/core/chunker.js'
import type { Entry, Extra, PieceRun } from '../../src/core/entry.js'
import type { WriterId } from '../../src/core/ids.js'
import { pathFault, type RelPath } from '../../src/core/path.js'
import {
  contentIdOf,
  MAX_PIECE_BYTES,
  MIN_PIECE_BYTES,
  type PieceInfo,
  plainBytesOf,
  sealedBytesOf,
} from '../../src/core/piece.js'
import type { FeedRecord, PieceAnnouncement } from '../../src/core/record.js'
import { MAX_COUNTER } from '../../src/core/record-entries.js'
import { MAX_PIECE_NUMBER, MAX_TIME_MS } from '../../src/core/record-public.js'
import type { Version } from '../../src/core/version.js'
import { patternBytes } from './piece-pattern.js'

export const author: WriterId = 'a1a1a1a1a1a1a1a1' as WriterId
const others = ['0000000000000001', 'b2b2b2b2b2b2b2b2', 'ffffffffffffffff'] as WriterId[]
/** Where the samples stand; keys that hide nothing. */
export const place: { entryKey: Buffer; feedKey: Buffer; index: number; nonce: Buffer; author: WriterId } = {
  entryKey: patternBytes(32, 21),
  feedKey: patternBytes(32, 22),
  index: 7,
  nonce: patternBytes(24, 23),
  author,
}

const pieces: PieceInfo[] = [100, 200, 300, 400].map((size, i) => ({
  id: patternBytes(32, i),
  length: size + 24,
}))
const base = { author, origin: author, extra: [] as Extra }
const own = (counter: number): Version => [[author, counter]]

/** One of everything; its bytes are frozen. */
export const sample: FeedRecord = {
  header: {
    kind: 'checkpoint',
    timeMs: 1_760_000_000_123,
    view: [
      [others[0]!, 3],
      [others[1]!, 4_000_000],
    ],
    checkpoint: 5,
  },
  announcements: [
    { first: 10, pieces: pieces.slice(0, 3) },
    { first: 2_000_000_000, pieces: pieces.slice(3) },
  ],
  entries: [
    {
      ...base,
      type: 'directory',
      path: 'dir' as RelPath,
      version: own(1),
      mode: 0o755,
      mtimeUs: 1_700_000_000_000_000,
    },
    {
      ...base,
      type: 'file',
      path: 'dir/one.txt' as RelPath,
      version: own(2),
      mode: 0o644,
      mtimeUs: 1_700_000_000_000_001,
      size: 100,
      content: contentIdOf([pieces[0]!.id]),
      pieces: [{ first: 10, count: 1 }],
    },
    {
      ...base,
      type: 'file',
      path: 'dir/ordner/größe 😀.bin' as RelPath,
      version: [
        [others[0]!, 9],
        [author, 3],
        [others[2]!, 77],
      ],
      origin: others[1]!,
      extra: [
        [1, Buffer.from('owner')],
        [300, Buffer.alloc(0)],
      ],
      mode: 0o4711,
      mtimeUs: -1_500_000,
      size: 1_000,
      content: patternBytes(32, 40),
      pieces: [
        { first: 11, count: 2 },
        { first: 11, count: 1 },
        { first: 3, count: 4 },
      ],
    },
    {
      ...base,
      type: 'file',
      path: 'empty' as RelPath,
      version: own(9),
      mode: 0,
      mtimeUs: 0,
      size: 0,
      content: contentIdOf([]),
      pieces: [],
    },
    {
      ...base,
      type: 'file',
      path: 'large' as RelPath,
      version: own(10),
      mode: 0o600,
      mtimeUs: 5,
      size: 900,
      content: contentIdOf([pieces[1]!.id, pieces[2]!.id, pieces[3]!.id]),
      pieces: [
        { first: 11, count: 2 },
        { first: 2_000_000_000, count: 1 },
      ],
    },
    {
      ...base,
      type: 'symlink',
      path: 'link' as RelPath,
      version: own(11),
      mtimeUs: 6,
      target: '../elsewhere',
    },
    { ...base, type: 'tombstone', path: 'lost' as RelPath, version: own(12), mtimeUs: 7, was: undefined },
    {
      ...base,
      type: 'tombstone',
      path: 'lost/dir' as RelPath,
      version: [[others[0]!, 1]],
      mtimeUs: 8,
      was: { mode: 0o700, mtimeUs: -9 },
    },
  ],
}

const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes))
const writers = fc.constantFrom(author, ...others)
const mtimes = fc
  .oneof(fc.maxSafeInteger(), fc.integer({ min: -5, max: 5 }))
  .map((time) => (time === 0 ? 0 : time))
const modes = fc.nat(0o7777)
const names = fc.oneof(
  fc.constantFrom('a', 'b', 'dir', 'größe', '😀', '🙂', '\ufeffbom', '\ufffd'),
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
)
const paths = fc
  .array(names, { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))
  .filter((text) => pathFault(text) === undefined)
  .map((text) => text as RelPath)
const versions: fc.Arbitrary<Version> = fc.oneof(
  fc.integer({ min: 1, max: MAX_COUNTER }).map((counter): Version => [[author, counter]]),
  fc
    .uniqueArray(fc.tuple(writers, fc.integer({ min: 1, max: MAX_COUNTER })), {
      minLength: 1,
      maxLength: 4,
      selector: ([id]) => id,
    })
    .map((pairs): Version => pairs.sort(([a], [b]) => (a < b ? -1 : 1))),
)
const extras: fc.Arbitrary<Extra> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Extra>([]) },
  {
    weight: 1,
    arbitrary: fc
      .uniqueArray(fc.tuple(fc.maxSafeNat(), fc.uint8Array({ maxLength: 40 })), {
        maxLength: 4,
        selector: ([tag]) => tag,
      })
      .map(
        (list): Extra =>
          list.sort(([a], [b]) => a - b).map(([tag, value]) => [tag, Buffer.from(value)] as const),
      ),
  },
)
const pieceInfos: fc.Arbitrary<PieceInfo> = fc.oneof(
  {
    weight: 3,
    arbitrary: plain({ id: hashes, length: fc.integer({ min: MIN_PIECE_BYTES, max: MAX_PIECE_BYTES }) }),
  },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        hashes,
        fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.integer({ min: 1, max: MAX_PLAINTEXT_BYTES })),
      )
      .map(([id, bytes]) => ({ id, length: sealedBytesOf(bytes, true), plain: bytes })),
  },
)
const announcementLists: fc.Arbitrary<PieceAnnouncement[]> = fc
  .array(
    fc.tuple(fc.oneof(fc.nat(4), fc.nat(400_000_000)), fc.array(pieceInfos, { minLength: 1, maxLength: 6 })),
    { maxLength: 5 },
  )
  .map((list) => {
    let end = 0
    return list.map(([gap, announced]) => {
      const first = end + gap
      end = first + announced.length
      return { first, pieces: announced }
    })
  })

/** Entries that may stand in a record with these announcements. */
export function entriesOver(announcements: readonly PieceAnnouncement[]): fc.Arbitrary<Entry> {
  const known = new Map<number, PieceInfo>()
  for (const { first, pieces: announced } of announcements)
    for (const [i, piece] of announced.entries()) known.set(first + i, piece)
  const anywhere = plain({
    first: fc.nat(MAX_PIECE_NUMBER - 100),
    count: fc.integer({ min: 1, max: 100 }),
  })
  const inside =
    known.size === 0
      ? anywhere
      : fc
          .constantFrom(...known.keys())
          .chain((first) => plain({ first: fc.constant(first), count: fc.integer({ min: 1, max: 4 }) }))
  const runLists = fc.array(fc.oneof({ weight: 5, arbitrary: inside }, { weight: 1, arbitrary: anywhere }), {
    maxLength: 4,
  })
  const common = {
    path: paths,
    version: versions,
    author: fc.constant(author),
    origin: writers,
    extra: extras,
  }
  return fc.oneof(
    fc
      .record({
        ...common,
        mode: modes,
        mtimeUs: mtimes,
        pieces: runLists,
        content: hashes,
        at: fc.double({ min: 0, max: 1, noNaN: true }),
      })
      .map(
        ({ at, content, ...rest }): Entry => ({
          ...rest,
          type: 'file',
          ...contentOf(rest.pieces, known, content, at),
        }),
      ),
    plain({ ...common, type: fc.constant('directory' as const), mode: modes, mtimeUs: mtimes }),
    plain({
      ...common,
      type: fc.constant('symlink' as const),
      mtimeUs: mtimes,
      target: fc
        .string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
        .filter((text) => !text.includes('\0') && text.isWellFormed()),
    }),
    plain({
      ...common,
      type: fc.constant('tombstone' as const),
      mtimeUs: mtimes,
      was: fc.option(plain({ mode: modes, mtimeUs: mtimes }), { nil: undefined }),
    }),
  )
}

function contentOf(
  runs: readonly PieceRun[],
  known: ReadonlyMap<number, PieceInfo>,
  content: Buffer,
  at: number,
): { size: number; content: Buffer } {
  const numbers = runs.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i))
  if (!numbers.every((number) => known.has(number)))
    return {
      size: Math.min(
        Math.floor(numbers.length * (1 + at * (MAX_PLAINTEXT_BYTES - 1))),
        Number.MAX_SAFE_INTEGER,
      ),
      content,
    }
  const all = numbers.map((number) => known.get(number)!)
  return {
    size: all.reduce((sum, piece) => sum + plainBytesOf(piece), 0),
    content: contentIdOf(all.map((piece) => piece.id)),
  }
}

/** Records that keep all rules. */
export const records: fc.Arbitrary<FeedRecord> = announcementLists.chain((announcements) =>
  plain({
    header: plain({
      kind: fc.constantFrom('delta', 'checkpoint'),
      timeMs: fc.nat(MAX_TIME_MS),
      view: fc
        .uniqueArray(fc.tuple(writers, fc.maxSafeNat()), { maxLength: 4, selector: ([id]) => id })
        .map((view) => view.sort(([a], [b]) => (a < b ? -1 : 1))),
      checkpoint: fc.option(fc.nat(), { nil: undefined }),
    }),
    announcements: fc.constant(announcements),
    entries: fc.array(entriesOver(announcements), { maxLength: 12 }),
  }),
)

/** Like fc.record, with the prototype that decoded values have. */
export function plain<T extends object>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(model, { noNullPrototype: true }) as fc.Arbitrary<T>
}
