// Conflicts ended by a person, on a real directory: what each choice leaves, what a crash before any system call leaves,
// and what becomes of what the user writes between any two of them.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import type { ShareContext } from '../../../src/daemon/share/context.js'
import { DiskGuard } from '../../../src/daemon/share/disk-guard.js'
import { type Keep, type Resolution, Resolver } from '../../../src/daemon/share/resolver.js'
import { type BatchProbe, commitBatch } from '../../../src/folder/commit.js'
import type { CommitJob, CommitOptions, CommitResult } from '../../../src/folder/commit-job.js'
import { cleanStaging } from '../../../src/folder/marker.js'
import { silentLog } from '../../../src/ports/log.js'
import type { DiskRow } from '../../../src/store/rows.js'
import { AT_MS, atEveryCall, Crash, DAY, NO_SYNC, path, Share } from '../../folder/commit-kit.js'
import { metadataOf } from '../../support/metadata.js'

const COPY = 'd/name.conflict-20240102-030405-nas.txt'
const PATH = 'd/name.txt'
const KEPT = 'd/name.kept-20240102-030405-nas.txt'
const KEEPS: readonly Keep[] = ['this', 'other', 'both']
const ABILITIES: readonly NonNullable<BatchProbe['without']>[] = [
  [],
  ['exchange'],
  ['link'],
  ['exchange', 'link'],
]

interface Disk {
  readonly share: Share
  readonly resolver: Resolver
  readonly settled: string[][]
}

/** A share with a conflict. `at` is called before every system call of every batch. */
function makeDisk(
  without: BatchProbe['without'] = [],
  at: (point: number) => void = () => undefined,
  changes: Partial<ShareContext> = {},
): Disk {
  const share = new Share()
  share.write(PATH, 'the winner')
  share.write(COPY, 'the loser')
  return { share, ...resolverOf(share, without, at, changes) }
}

function resolverOf(
  share: Share,
  without: BatchProbe['without'] = [],
  at: (point: number) => void = () => undefined,
  changes: Partial<ShareContext> = {},
): Omit<Disk, 'share'> {
  const row = (name: string): Partial<DiskRow> | undefined =>
    share.exists(name) ? { stat: share.stat(name), drift: undefined } : undefined
  const rows = new Map([PATH, COPY].map((name) => [name, row(name)]))
  let points = 0
  const commit = async (
    root: string,
    jobs: readonly CommitJob[],
    options: CommitOptions,
  ): Promise<CommitResult[]> => {
    let results: CommitResult[] = []
    const before = points
    points += atEveryCall(
      (point) => at(before + point),
      (step) => {
        results = commitBatch(
          { root, jobs, options },
          { step, syncCalls: NO_SYNC, ...{ without: without ?? [] } },
        )
      },
    )
    return results
  }
  const settled: string[][] = []
  const context = {
    root: share.root,
    index: {
      conflicts: { copies: new Set(rows.get(COPY) === undefined ? [] : [COPY]) },
      effective: (name: string) => ({
        fact: { type: rows.get(name) === undefined ? 'absent' : 'file' },
        version: [],
        entry: undefined,
      }),
      need: (name: string) => ({ step: { type: 'none' }, row: rows.get(name) }),
      disk: (name: string) => rows.get(name),
      transaction: (body: () => void) => body(),
      noteArchived: () => undefined,
    },
    pool: { commit },
    guard: new DiskGuard(),
    problems: { set: () => undefined },
    log: silentLog,
    isWriter: true,
    archive: false,
    metadata: metadataOf(),
    useArchive: async () => () => undefined,
    isIgnored: () => false,
    rootIdentity: () => undefined,
    checkRoot: async () => undefined,
    ...changes,
  } as unknown as ShareContext
  const resolver = new Resolver(context, () => AT_MS, {
    mustRun: () => undefined,
    settled: async (directories) => void settled.push([...directories]),
  })
  return { resolver, settled }
}

for (const without of ABILITIES) {
  const how = without.length === 0 ? 'everything' : `no ${without.join(', no ')}`

  test(`V5: each choice leaves what it says, and the rest in the archive (${how})`, async () => {
    const expected: Record<Keep, [Resolution, Record<string, string>]> = {
      this: [
        { path: path(PATH), at: undefined, archived: `.shoal/archive/${DAY}/${COPY}` },
        { [PATH]: 'the winner', [`.shoal/archive/${DAY}/${COPY}`]: 'the loser' },
      ],
      other: [
        { path: path(PATH), at: path(PATH), archived: `.shoal/archive/${DAY}/${PATH}` },
        { [PATH]: 'the loser', [`.shoal/archive/${DAY}/${PATH}`]: 'the winner' },
      ],
      both: [
        { path: path(PATH), at: path(KEPT), archived: undefined },
        { [PATH]: 'the winner', [KEPT]: 'the loser' },
      ],
    }
    for (const keep of KEEPS) {
      const { share, resolver, settled } = makeDisk(without)
      try {
        const [resolution, files] = expected[keep]
        assert.deepEqual(await resolver.resolve(path(COPY), keep), resolution)
        const now = Object.fromEntries(share.files())
        delete now['.shoal/marker.json']
        assert.deepEqual(now, files, keep)
        for (const name of Object.keys(files)) assert.equal(share.stat(name).nlink, 1, name)
        assert.deepEqual(settled, [['d', 'd']])
      } finally {
        share.remove()
      }
    }
  })

  test(`A4: a crash at any point of any choice loses neither version, and it can be done again (${how})`, async () => {
    // The others are one job each, which test/folder/commit-crash.test.ts crashes as well.
    for (const keep of without.length === 0 ? KEEPS : (['other'] as const))
      for (let point = 0, crashed = true; crashed; point++) {
        crashed = false
        const { share, resolver } = makeDisk(without, (now) => {
          if (now < point) return
          crashed = true
          throw new Crash()
        })
        try {
          await resolver.resolve(path(COPY), keep).catch(() => undefined)
          const hasBoth = (): void => {
            for (const content of ['the winner', 'the loser'])
              assert.ok(share.all().includes(content), `${keep} at ${point}: ${content} is gone`)
            // Nobody sees half of anything under a name of the share.
            for (const content of share.seen()) assert.match(content, /^the (winner|loser)$/)
          }
          hasBoth()
          cleanStaging({ root: share.root, keepTokens: [] })
          hasBoth()
          if (!share.exists(COPY) || !share.exists(PATH)) continue
          const again = resolverOf(share, without)
          await again.resolver.resolve(path(COPY), keep)
          hasBoth()
          assert.ok(!share.exists(COPY))
        } finally {
          share.remove()
        }
      }
  })
}

const EDITS: Readonly<Record<string, (share: Share, name: string) => void>> = {
  'writes into': (share, name) => fs.writeFileSync(share.at(name), 'of the user'),
  replaces: (share, name) => {
    fs.writeFileSync(share.at('new'), 'of the user')
    fs.renameSync(share.at('new'), share.at(name))
  },
}

for (const [what, edit] of Object.entries(EDITS))
  for (const target of [PATH, COPY])
    test(`A3: what the user ${what} ${target === PATH ? 'the path' : 'the copy'} at any point is kept`, async () => {
      for (const keep of ['this', 'other'] as const)
        for (let point = 0, reached = true; reached; point++) {
          reached = false
          const { share, resolver } = makeDisk([], (now) => {
            if (now !== point) return
            reached = true
            // Only if it is there: what is written to a free name is a file of its own.
            if (share.exists(target)) edit(share, target)
            else fs.writeFileSync(share.at('elsewhere'), 'of the user')
          })
          try {
            await resolver.resolve(path(COPY), keep).catch(() => undefined)
            cleanStaging({ root: share.root, keepTokens: [] })
            if (!reached) continue
            assert.ok(share.all().includes('of the user'), `${keep} at ${point}`)
            // Of the two, at most the one that the user wrote over himself is gone.
            const lost = ['the winner', 'the loser'].filter((content) => !share.all().includes(content))
            assert.ok(lost.length <= 1, `${keep} at ${point}: ${lost}`)
          } finally {
            share.remove()
          }
        }
    })

test('what is not as it was listed, or not as the share says, is left alone', async () => {
  const cases: [string, Partial<ShareContext>, (disk: Disk) => void, Keep, string | undefined, object][] = [
    ['a reader', { isWriter: false }, () => undefined, 'this', undefined, { code: 'SECRET_GRADE' }],
    ['another id', {}, () => undefined, 'this', '0'.repeat(16), { code: 'CONFLICT' }],
    [
      'a copy changed since the index looked',
      {},
      ({ share }) => share.write(COPY, 'of the user'),
      'this',
      undefined,
      { code: 'CONFLICT', message: /somebody changes/ },
    ],
    [
      'a path changed since the index looked',
      {},
      ({ share }) => share.write(PATH, 'of the user'),
      'other',
      undefined,
      { code: 'CONFLICT' },
    ],
    [
      'a name that rules leave out',
      { isIgnored: () => true },
      () => undefined,
      'both',
      undefined,
      { code: 'CONFLICT' },
    ],
    [
      'a root that is another one',
      { checkRoot: async () => 'the marker is missing' },
      () => undefined,
      'this',
      undefined,
      { code: 'SHARE_HALTED' },
    ],
  ]
  for (const [name, changes, prepare, keep, id, error] of cases) {
    const disk = makeDisk([], undefined, changes)
    try {
      prepare(disk)
      const before = disk.share.files()
      await assert.rejects(disk.resolver.resolve(path(COPY), keep, id), error, name)
      assert.deepEqual(disk.share.files(), before, name)
    } finally {
      disk.share.remove()
    }
  }
})

test('where nothing stands at the path, the copy takes its place and is never the only thing thrown away', async () => {
  const share = new Share()
  try {
    share.write(COPY, 'the loser')
    const { resolver } = resolverOf(share)
    const [{ id }] = resolver.list().map((one) => ({ id: one.id })) as [{ id: string }]
    await assert.rejects(resolver.resolve(path(COPY), 'this', id), { code: 'CONFLICT' })
    assert.deepEqual(await resolver.resolve(path(COPY), 'other', id), {
      path: PATH,
      at: PATH,
      archived: undefined,
    })
    assert.equal(share.read(PATH), 'the loser')
  } finally {
    share.remove()
  }
})

test('both: a name that is taken gets a number, also one that was taken without the index knowing', async () => {
  const { share, resolver } = makeDisk()
  try {
    share.write(KEPT, 'of the user')
    const numbered = KEPT.replace('-nas.txt', '-nas-2.txt')
    assert.equal((await resolver.resolve(path(COPY), 'both')).at, numbered)
    assert.deepEqual([share.read(KEPT), share.read(numbered)], ['of the user', 'the loser'])
  } finally {
    share.remove()
  }
})
