// A crash before every single system call of a commit, and what is on the disk then.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { mtimeUsOf, sameStat } from '../../src/core/stat.js'
import type { BatchProbe } from '../../src/folder/commit.js'
import type { CommitJob } from '../../src/folder/commit-job.js'
import { cleanStaging } from '../../src/folder/marker.js'
import { crashAt, path, Share } from './commit-kit.js'

const ABILITIES: readonly NonNullable<BatchProbe['without']>[] = [
  [],
  ['exchange'],
  ['link'],
  ['exchange', 'link'],
]

/** Crashes at every point of a fresh share's batch; `check` sees the disk after each crash. Returns the crashes. */
function everyCrash(
  without: NonNullable<BatchProbe['without']>,
  archive: boolean,
  prepare: (share: Share) => CommitJob[],
  check: (share: Share, jobs: readonly CommitJob[]) => void,
): number {
  for (let point = 0; ; point++) {
    const share = new Share()
    try {
      const jobs = prepare(share)
      const run = (probe: BatchProbe): void => void share.commit(jobs, probe, archive)
      if (!crashAt(point, run, { without })) return point
      check(share, jobs)
    } finally {
      share.remove()
    }
  }
}

for (const without of ABILITIES)
  for (const archive of [true, false]) {
    const how = `${without.length === 0 ? 'everything' : `no ${without.join(', no ')}`}, archive ${archive}`

    test(`A2, A4: a crash while a file is replaced loses neither version (${how})`, () => {
      const crashes = everyCrash(
        without,
        archive,
        (share) => {
          share.write('d/file', 'the old version')
          return [share.fileJob('d/file', 'the new version', { mtimeUs: 42 })]
        },
        (share, jobs) => {
          const now = share.read('d/file')
          assert.ok(now === 'the old version' || now === 'the new version')
          assert.ok(share.all().includes('the new version'))
          if (archive) assert.ok(share.all().includes('the old version'))
          if (now === 'the new version') {
            assert.equal(mtimeUsOf(share.stat('d/file')), 42)
            assert.equal(share.stat('d/file').mode, 0o640)
          }
          // The next start: leftovers go, the plan is made anew, and it ends as it should have.
          cleanStaging({ root: share.root, keepTokens: [] })
          assert.equal(share.read('d/file'), now)
          assert.equal(share.stat('d/file').nlink === 1 || now === 'the old version', true)
          const again = share.fileJob('d/file', 'the new version', { mtimeUs: 42 })
          assert.equal(share.commitOne(again).status, 'done')
          assert.equal(share.read('d/file'), 'the new version')
          assert.equal(jobs.length, 1)
        },
      )
      assert.ok(crashes > 8, `${crashes} points`)
    })

    test(`A2, A4: a crash while a new file comes shows all of it or nothing (${how})`, () => {
      everyCrash(
        without,
        archive,
        (share) => [share.fileJob('file', 'the new version', { mtimeUs: 42 })],
        (share) => {
          if (share.exists('file')) {
            assert.equal(share.read('file'), 'the new version')
            assert.equal(mtimeUsOf(share.stat('file')), 42)
          }
          assert.ok(share.all().includes('the new version'))
          cleanStaging({ root: share.root, keepTokens: [] })
          if (share.exists('file')) assert.equal(share.stat('file').nlink, 1)
        },
      )
    })

    test(`A4: a crash while a file is removed loses nothing (${how})`, () => {
      everyCrash(
        without,
        archive,
        (share) => {
          share.write('file', 'the old version')
          return [{ type: 'remove', path: path('file'), expect: share.expect('file') }]
        },
        (share) => {
          const isThere = share.exists('file')
          if (isThere) assert.equal(share.read('file'), 'the old version')
          cleanStaging({ root: share.root, keepTokens: [] })
          if (archive) assert.ok(share.all().includes('the old version'))
          assert.equal(share.exists('file'), isThere)
        },
      )
    })
  }

for (const without of ABILITIES) {
  const how = without.length === 0 ? 'everything' : `no ${without.join(', no ')}`

  test(`A4: a crash while a local version is displaced leaves it under one name or both (${how})`, () => {
    everyCrash(
      without,
      true,
      (share) => {
        share.write('file', 'mine')
        return [
          { type: 'displace', path: path('file'), to: path('file.conflict'), expect: share.expect('file') },
        ]
      },
      (share) => {
        assert.ok(share.seen().length > 0)
        for (const content of share.seen()) assert.equal(content, 'mine')
        cleanStaging({ root: share.root, keepTokens: [] })
        if (!share.exists('file')) return
        const to = path('file.conflict')
        const again = share.commitOne({
          type: 'displace',
          path: path('file'),
          to,
          expect: share.expect('file'),
        })
        assert.equal(again.status, 'done')
        assert.deepEqual(share.seen(), ['mine'])
      },
    )
  })

  test(`A2: a crash while a symlink or directory replaces a file never leaves the name empty (${how})`, () => {
    for (const type of ['symlink', 'mkdir'] as const)
      everyCrash(
        without,
        true,
        (share) => {
          share.write('x', 'old')
          const expect = share.expect('x')
          if (type === 'mkdir') return [{ type, path: path('x'), mode: 0o750, expect }]
          return [{ type, path: path('x'), target: 'target', mtimeUs: 42, expect }]
        },
        (share) => {
          // Only a directory without an exchange must wait for the name to be free.
          if (!share.exists('x')) assert.ok(type === 'mkdir' && without.includes('exchange'))
          else if (share.stat('x').type === 'file') assert.equal(share.read('x'), 'old')
          else if (type === 'symlink') {
            assert.equal(fs.readlinkSync(share.at('x')), 'target')
            assert.equal(mtimeUsOf(share.stat('x')), 42)
          }
          assert.ok(share.all().includes('old'))
        },
      )
  })
}

test('A4: a staged file that a crash has already given its name is never written again', () => {
  everyCrash(
    [],
    true,
    (share) => [share.fileJob('file', 'the new version')],
    (share) => {
      if (!share.exists('file')) return
      const before = share.stat('file')
      const token = fs.readdirSync(share.at('.shoal/staging'))
      assert.equal(before.nlink, 1 + token.length)
      // The daemon, not knowing, tries the same job again: the disk is not as expected, and nothing is touched.
      const job = { ...share.fileJob('other', 'x', { seed: 2 }), path: path('file') }
      assert.equal(share.commitOne(job as CommitJob).status, 'changed')
      assert.ok(sameStat(share.stat('file'), before))
    },
  )
})
