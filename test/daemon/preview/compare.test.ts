// What a comparison makes of a disk that does not hold still or cannot be read: a made-up scanner and a made-up share.
// The rest is tested against real ones (preview.test.ts).
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import { ABSENT, type Fact } from '../../../src/core/fact.js'
import { parsePath, type RelPath } from '../../../src/core/path.js'
import { type DiskStat, packStat, STAT_FIELDS } from '../../../src/core/stat.js'
import { compareTree } from '../../../src/daemon/preview/compare.js'
import type { Comparison } from '../../../src/daemon/preview/report.js'
import type { HashResult } from '../../../src/folder/hash-result.js'
import type { FolderPool } from '../../../src/folder/pool.js'
import type { ScannedDirectory } from '../../../src/folder/scan.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import type { ShareIndex } from '../../../src/store/share-index.js'

const CONTENT = Buffer.alloc(32, 1)
const file: Fact = { type: 'file', mode: 0o644, mtimeUs: 0, size: 10, content: CONTENT, extra: NO_EXTRA }
const directory: Fact = { type: 'directory', mode: 0o755, mtimeUs: 0, extra: NO_EXTRA }

interface Scene {
  readonly share: Readonly<Record<string, Fact>>
  readonly disk: Readonly<Record<string, readonly string[] | 'failed' | 'left'>>
  /** Answers for one path, one after the other; the last for ever. */
  readonly hashes?: Readonly<Record<string, readonly HashResult['status'][]>>
}

/** Directories of the disk are those that it lists. */
async function compare({
  share,
  disk,
  hashes = {},
}: Scene): Promise<Comparison & { readonly asked: number }> {
  let asked = 0
  const left = new Set<string>()
  const statOf = (path: string): DiskStat => {
    const isDirectory = path in disk
    const mode = isDirectory ? 0o755 : 0o644
    return {
      type: isDirectory ? 'directory' : 'file',
      ...{ mode, size: 10, mtimeMs: 0, ctimeMs: 0, ino: 1, dev: 1, nlink: 1, uid: 0, gid: 0 },
    }
  }
  const pool = {
    scan: async (_root: string, directories: readonly (RelPath | '')[]): Promise<ScannedDirectory[]> =>
      directories.map((path) => {
        const names = disk[path]
        const none = { path, names: [], stats: new Float64Array(0), faults: [] }
        if (names === 'failed')
          return { ...none, status: 'failed', code: 'EACCES', detail: 'permission denied' }
        if (names === 'left' && !left.has(path)) {
          left.add(path)
          return { ...none, status: 'left' }
        }
        const list = Array.isArray(names) ? (names as string[]) : []
        const stats = new Float64Array(list.length * STAT_FIELDS)
        for (const [i, name] of list.entries()) {
          const stat = statOf(path === '' ? name : `${path}/${name}`)
          packStat(stats, i, { ...stat, mode: stat.mode | (stat.type === 'directory' ? 0o040000 : 0o100000) })
        }
        return { ...none, status: 'ok', names: list, stats }
      }),
    hash: async (_root: string, _keys: unknown, jobs: readonly { path: string }[]): Promise<HashResult[]> =>
      jobs.map(({ path }) => {
        const answers = hashes[path] ?? ['ok']
        const status = answers[Math.min(asked++, answers.length - 1)]!
        if (status === 'ok')
          return {
            status,
            stat: statOf(path),
            content: CONTENT,
            pieces: CONTENT,
            lengths: Uint32Array.of(34),
          }
        if (status === 'failed') return { status, code: 'EIO', detail: 'broken' }
        return { status } as HashResult
      }),
  }
  const index = {
    effective: (path: string) => ({ fact: share[path] ?? ABSENT }),
    heads: (path: string) => (Object.keys(share).includes(path) ? [{ path }] : []),
    allHeads: () => Object.keys(share).map((path) => [{ path }]),
  }
  const { comparison } = await compareTree({
    dir: '/made/up',
    exists: true,
    index: index as unknown as ShareIndex,
    database: new MemoryDatabase(),
    prefix: '',
    pool: pool as unknown as FolderPool,
    pieceKeys: { sivKey: CONTENT, pieceKey: CONTENT },
    isIgnored: (path) => path === parsePath('ignored'),
    signal: new AbortController().signal,
    onPath: () => undefined,
  })
  return { ...comparison, asked }
}

test('what lies in a directory that cannot be listed is not said to be only in the share', async () => {
  const { onlyThere, same, problems } = await compare({
    share: {
      closed: directory,
      'closed/a': file,
      'closed/deep/b': file,
      'closed/deep': directory,
      other: file,
    },
    disk: { '': ['closed'], closed: 'failed' },
  })
  assert.deepEqual([same.folders, onlyThere.files], [1, 1])
  assert.deepEqual(problems, [{ path: 'closed', code: 'EACCES', detail: 'permission denied' }])
})

test('a directory that a batch left out is asked for again', async () => {
  const { same } = await compare({ share: { d: directory }, disk: { '': ['d'], d: 'left' } })
  assert.equal(same.folders, 1)
})

test('a file that changes while it is read is read again, and given up in the end', async () => {
  const once = await compare({
    share: { a: file },
    disk: { '': ['a'] },
    hashes: { a: ['changed', 'busy', 'ok'] },
  })
  assert.deepEqual([once.same.files, once.asked, once.problems.length], [1, 3, 0])
  const never = await compare({ share: { a: file }, disk: { '': ['a'] }, hashes: { a: ['changed'] } })
  assert.deepEqual(never.problems, [{ path: 'a', code: 'CHANGING', detail: 'it changes while it is read' }])
  assert.deepEqual([never.same.files, never.onlyThere.files, never.asked], [0, 0, 4])
})

test('a file that goes away is only there; one that cannot be read is a problem', async () => {
  const gone = await compare({ share: { a: file }, disk: { '': ['a'] }, hashes: { a: ['gone'] } })
  assert.deepEqual([gone.onlyThere.files, gone.problems.length], [1, 0])
  const broken = await compare({ share: { a: file }, disk: { '': ['a'] }, hashes: { a: ['failed'] } })
  assert.deepEqual([broken.onlyThere.files, broken.problems[0]?.code], [0, 'EIO'])
})

test('what the rules leave out counts on neither side', async () => {
  const { onlyHere, onlyThere, same } = await compare({
    share: { ignored: file, a: file },
    disk: { '': ['a', 'ignored'] },
  })
  assert.deepEqual([same.files, onlyHere.files, onlyThere.files], [1, 0, 0])
})

test('a directory that only what lies in it holds up is only there, once', async () => {
  const share: Record<string, Fact> = { 'd/e/one': file, 'd/e/two': file, 'x/three': file, 'd/e/z': file }
  // Effective, but without heads of their own.
  for (const path of ['d', 'd/e', 'x']) Object.defineProperty(share, path, { value: directory })
  const { onlyThere } = await compare({ share, disk: { '': [] } })
  assert.deepEqual([onlyThere.files, onlyThere.folders], [4, 3])
})
