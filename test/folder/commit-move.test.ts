// A file gets another name: by one rename that replaces nothing, whatever a user does and wherever a crash falls (A2-A4).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { sameStat } from '../../src/core/stat.js'
import type { BatchProbe } from '../../src/folder/commit.js'
import type { CommitJob, CommitResult } from '../../src/folder/commit-job.js'
import { cleanStaging } from '../../src/folder/marker.js'
import { atEveryCall, crashAt, path, Share } from './commit-kit.js'

const ABILITIES: readonly NonNullable<BatchProbe['without']>[] = [[], ['noreplace']]
const OLD = 'cur/1.host:2,'
const NEW = 'new folder/1.host:2,S'

function prepared(): { share: Share; job: CommitJob } {
  const share = new Share()
  share.write(OLD, 'message')
  fs.mkdirSync(share.at('new folder'))
  const job: CommitJob = {
    type: 'move',
    path: path(NEW),
    from: path(OLD),
    expectFrom: share.stat(OLD),
    slipName: 'slipped',
  }
  return { share, job }
}

/** What a user would see, by path. */
function seen(share: Share): Record<string, string> {
  return Object.fromEntries([...share.files()].filter(([name]) => !name.startsWith('.shoal/')))
}

for (const without of ABILITIES) {
  const how = without.length === 0 ? 'everything' : `no ${without.join(', no ')}`

  test(`A2: a move keeps the inode and all its metadata, and archives nothing (${how})`, () => {
    const { share, job } = prepared()
    try {
      const before = share.stat(OLD)
      const result = share.commitOne(job, { without })
      assert.equal(result.status, 'done')
      const { ctimeMs: _, ...now } = share.stat(NEW)
      const { ctimeMs: __, ...was } = before
      assert.deepEqual(now, was)
      assert.ok(result.status === 'done' && sameStat(result.stat!, share.stat(NEW)))
      assert.deepEqual(seen(share), { [NEW]: 'message' })
      assert.deepEqual(share.all().filter((content) => content === 'message').length, 1)
    } finally {
      share.remove()
    }
  })

  test(`A3: nothing is moved that is not as expected, or to a name that is taken (${how})`, () => {
    const meddlers: readonly ((share: Share) => void)[] = [
      (share) => share.write(OLD, 'another'),
      (share) => fs.rmSync(share.at(OLD)),
      (share) => fs.rmSync(share.at('cur'), { recursive: true }),
      (share) => share.write(NEW, 'taken'),
      (share) => fs.mkdirSync(share.at(NEW)),
      (share) => fs.symlinkSync('nowhere', share.at(NEW)),
    ]
    for (const meddle of meddlers) {
      const { share, job } = prepared()
      try {
        meddle(share)
        const before = seen(share)
        assert.equal(share.commitOne(job, { without }).status, 'changed')
        assert.deepEqual(seen(share), before)
      } finally {
        share.remove()
      }
    }
  })

  test(`A2, A4: a crash leaves the file under its old or its new name (${how})`, () => {
    let crashes = 0
    for (; ; crashes++) {
      const { share, job } = prepared()
      try {
        if (!crashAt(crashes, (probe) => void share.commit([job], probe), { without })) break
        const names = Object.keys(seen(share))
        assert.ok(names.length === 1 || without.length > 0, names.join())
        assert.deepEqual(new Set(Object.values(seen(share))), new Set(['message']))
        cleanStaging({ root: share.root, keepTokens: [] })
        assert.ok(share.seen().includes('message'))
      } finally {
        share.remove()
      }
    }
    assert.ok(crashes > 5, `${crashes} points`)
  })

  /** What the user does, each leaving "precious" somewhere; and whether it is for the old name. */
  const edits: Readonly<Record<string, (share: Share) => void>> = {
    'takes the new name': (share) => {
      if (!share.exists(NEW)) share.write(NEW, 'precious')
      else fs.appendFileSync(share.at(NEW), ' precious')
    },
    'saves over the new name by a rename': (share) => {
      share.write('editor.tmp', 'precious')
      fs.renameSync(share.at('editor.tmp'), share.at(NEW))
    },
    'writes into the file': (share) => {
      for (const name of [OLD, NEW]) if (share.exists(name)) fs.appendFileSync(share.at(name), ' precious')
    },
    'saves over the old name by a rename': (share) => {
      share.write('editor.tmp', 'precious')
      fs.renameSync(share.at('editor.tmp'), share.at(OLD))
    },
    'replaces the file by a directory': (share) => {
      fs.rmSync(share.at(OLD), { force: true })
      share.write(`${OLD}/inside`, 'precious')
    },
    'renames it elsewhere and makes a new one': (share) => {
      if (share.exists(OLD)) fs.renameSync(share.at(OLD), share.at('cur/elsewhere'))
      share.write(OLD, 'precious')
    },
  }
  for (const [what, edit] of Object.entries(edits))
    test(`A3: the user ${what} at any moment of a move (${how})`, () => {
      const statuses = new Set<CommitResult['status']>()
      let points = Number.POSITIVE_INFINITY
      for (let moment = 0; moment < points; moment++) {
        const { share, job } = prepared()
        try {
          let result: CommitResult | undefined
          points = atEveryCall(
            (point) => {
              if (point === moment) edit(share)
            },
            (step) => {
              result = share.commitOne(job, { without, step })
            },
          )
          statuses.add(result!.status)
          assert.ok(
            share.seen().some((content) => content.includes('precious')),
            `at ${moment}: precious`,
          )
          const isOldDestroyed = what.includes('replaces') || what.includes('saves over')
          if (!isOldDestroyed)
            assert.ok(
              share.seen().some((content) => content.startsWith('message')),
              `at ${moment}: message`,
            )
          if (result!.status !== 'done' || result!.stat === undefined) continue
          // Whoever scans by this stat misses nothing.
          if (share.exists(NEW) && sameStat(share.stat(NEW), result!.stat))
            assert.equal(share.read(NEW), 'message', `at ${moment}`)
        } finally {
          share.remove()
        }
      }
      assert.ok(statuses.has('done') && statuses.has('changed'), [...statuses].join())
    })
}

test('a file system with neither call moves nothing, and says so', () => {
  const { share, job } = prepared()
  try {
    const before = seen(share)
    assert.equal(share.commitOne(job, { without: ['noreplace', 'link'] }).status, 'failed')
    assert.deepEqual(seen(share), before)
  } finally {
    share.remove()
  }
})
