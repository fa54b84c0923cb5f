// A file gets another name by a hard link (A2-A4), and what a batch does to files with several names.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { type DiskStat, mtimeUsOf, sameStat } from '../../src/core/stat.js'
import type { BatchProbe } from '../../src/folder/commit.js'
import type { CommitJob } from '../../src/folder/commit-job.js'
import { cleanStaging } from '../../src/folder/marker.js'
import { atEveryCall, crashAt, DAY, path, Share } from './commit-kit.js'

const ABILITIES: readonly NonNullable<BatchProbe['without']>[] = [[], ['exchange']]

function withShare(body: (share: Share) => void): void {
  const share = new Share()
  try {
    body(share)
  } finally {
    share.remove()
  }
}

function linkJob(share: Share, from: string, to: string, more: { copyOld?: boolean } = {}): CommitJob {
  const expect = share.expect(to)
  return {
    type: 'link',
    path: path(to),
    from: path(from),
    fromStat: share.stat(from),
    expect,
    slipName: 'slipped',
    ...more,
  }
}

function removeJob(share: Share, name: string, copyOld: boolean): CommitJob {
  return { type: 'remove', path: path(name), expect: share.expect(name), copyOld }
}

function link(share: Share, from: string, ...names: readonly string[]): void {
  for (const name of names) fs.linkSync(share.at(from), share.at(name))
}

function leftOf(result: unknown): DiskStat | undefined {
  return (result as { left?: DiskStat }).left
}

for (const without of ABILITIES) {
  const how = without.length === 0 ? 'everything' : `no ${without.join(', no ')}`

  test(`a link to a free name and over another file (${how})`, () => {
    withShare((share) => {
      share.write('dir/from', 'content')
      share.write('old', 'other')
      const jobs = [linkJob(share, 'dir/from', 'new'), linkJob(share, 'dir/from', 'old')]
      const results = share.commit(jobs, { without })
      assert.deepEqual(
        results.map(({ status }) => status),
        ['done', 'done'],
      )
      for (const name of ['new', 'old']) assert.equal(share.stat(name).ino, share.stat('dir/from').ino)
      assert.equal(share.stat('new').nlink, 3)
      const [, last] = results
      assert.ok(last!.status === 'done' && sameStat(last!.stat!, share.stat('old')))
      assert.equal(share.read(`.shoal/archive/${DAY}/old`), 'other')
      assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
    })
  })

  test(`A2, A4: a crash leaves the old file or the new one at the name, and the old one somewhere (${how})`, () => {
    let crashes = 0
    for (; ; crashes++) {
      const share = new Share()
      try {
        share.write('from', 'content')
        share.write('name', 'other')
        const job = linkJob(share, 'from', 'name')
        if (!crashAt(crashes, (probe) => void share.commit([job], probe), { without })) break
        assert.ok(['content', 'other'].includes(share.read('name')))
        cleanStaging({ root: share.root, keepTokens: [] })
        assert.ok(share.all().includes('other'))
        assert.equal(share.read('from'), 'content')
      } finally {
        share.remove()
      }
    }
    assert.ok(crashes > 8, `${crashes} points`)
  })

  test(`A3: what the user writes at any moment of a link is kept (${how})`, () => {
    const edits: readonly ((share: Share) => void)[] = [
      (share) => fs.appendFileSync(share.at('name'), ' precious'),
      (share) => fs.appendFileSync(share.at('from'), ' precious'),
      (share) => {
        share.write('editor.tmp', 'precious')
        fs.renameSync(share.at('editor.tmp'), share.at('from'))
      },
    ]
    for (const edit of edits) {
      let points = Number.POSITIVE_INFINITY
      for (let moment = 0; moment < points; moment++) {
        withShare((share) => {
          share.write('from', 'content')
          share.write('name', 'other')
          const job = linkJob(share, 'from', 'name')
          points = atEveryCall(
            (point) => {
              if (point === moment) edit(share)
            },
            (step) => void share.commitOne(job, { without, step }),
          )
          assert.ok(
            share.seen().some((content) => content.includes('precious')),
            `at ${moment}`,
          )
        })
      }
    }
  })
}

test('A3: nothing is linked from or over what is not as expected', () => {
  const meddlers: readonly ((share: Share) => void)[] = [
    (share) => share.write('from', 'another'),
    (share) => fs.rmSync(share.at('from')),
    (share) => fs.chmodSync(share.at('from'), 0o600),
    (share) => share.write('name', 'taken'),
    (share) => fs.rmSync(share.at('name')),
  ]
  for (const meddle of meddlers)
    withShare((share) => {
      share.write('from', 'content')
      fs.chmodSync(share.at('from'), 0o644)
      share.write('name', 'other')
      const job = linkJob(share, 'from', 'name')
      meddle(share)
      const before = share.files()
      assert.equal(share.commitOne(job).status, 'changed')
      assert.deepEqual(share.files(), before)
    })
})

test('a file system without links says so, and nothing was done', () => {
  withShare((share) => {
    share.write('from', 'content')
    const before = share.files()
    const result = share.commitOne(linkJob(share, 'from', 'name'), { without: ['link'] })
    assert.equal(result.status, 'failed')
    assert.deepEqual(share.files(), before)
  })
})

test('several names of one file in one batch: each job knows it again, and the result tells what the others show', () => {
  withShare((share) => {
    share.write('a', 'content')
    link(share, 'a', 'b', 'c', 'd')
    const jobs = [removeJob(share, 'a', true), linkJob(share, 'd', 'e'), removeJob(share, 'b', true)]
    const results = share.commit(jobs)
    assert.deepEqual(
      results.map(({ status }) => status),
      ['done', 'done', 'done'],
    )
    assert.ok(sameStat(leftOf(results[2])!, share.stat('c')))
    assert.equal(leftOf(results[2])!.nlink, 3)
    assert.equal(share.stat('c').nlink, 3)
    // The archive has one copy under both names, which is not the file that lives on.
    const archived = ['a', 'b'].map((name) => share.stat(`.shoal/archive/${DAY}/${name}`))
    assert.equal(archived[0]!.ino, archived[1]!.ino)
    assert.notEqual(archived[0]!.ino, share.stat('c').ino)
    assert.equal(archived[0]!.mode, share.stat('c').mode)
    assert.equal(mtimeUsOf(archived[0]!), mtimeUsOf(share.stat('c')))
    fs.appendFileSync(share.at('c'), ' written later')
    assert.equal(share.read(`.shoal/archive/${DAY}/a`), 'content')
  })
})

test('a file whose names all go is archived as it is', () => {
  withShare((share) => {
    share.write('a', 'content')
    link(share, 'a', 'b')
    const { ino } = share.stat('a')
    const results = share.commit([removeJob(share, 'a', false), removeJob(share, 'b', false)])
    assert.deepEqual(
      results.map(({ status }) => status),
      ['done', 'done'],
    )
    for (const name of ['a', 'b']) assert.equal(share.stat(`.shoal/archive/${DAY}/${name}`).ino, ino)
  })
})

test('a write by somebody else between two jobs of a batch is not taken for a link of ours', () => {
  withShare((share) => {
    share.write('a', 'content')
    link(share, 'a', 'b', 'c')
    const jobs = [removeJob(share, 'a', false), removeJob(share, 'b', false)]
    const step = (name: string, at: string): void => {
      if (name === 'taken' && at === 'a') fs.appendFileSync(share.at('c'), ' precious')
    }
    share.commit(jobs, { step })
    assert.ok(share.seen().some((content) => content.endsWith('precious')))
    assert.ok(share.exists('b'))
  })
})

test('the archive keeps a link where a copy cannot be made', () => {
  withShare((share) => {
    share.write('a', 'content')
    link(share, 'a', 'b')
    const real = fs.readSync
    const { ino } = share.stat('a')
    try {
      fs.readSync = (() => {
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' })
      }) as typeof fs.readSync
      assert.equal(share.commitOne(removeJob(share, 'a', true)).status, 'done')
    } finally {
      fs.readSync = real
    }
    assert.equal(share.stat(`.shoal/archive/${DAY}/a`).ino, ino)
    assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
  })
})
