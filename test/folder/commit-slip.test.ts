// A user who does something before every single system call of a commit: what they wrote is in the tree afterwards, and
// no result claims that a path is as the share says when it is not.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { sameStat } from '../../src/core/stat.js'
import type { BatchProbe } from '../../src/folder/commit.js'
import type { CommitJob, CommitResult } from '../../src/folder/commit-job.js'
import { atEveryCall, path, Share } from './commit-kit.js'

const ABILITIES: readonly NonNullable<BatchProbe['without']>[] = [
  [],
  ['exchange'],
  ['link'],
  ['exchange', 'link'],
]

/** Lets the user do `meddle` at every point of a fresh share's batch; `check` sees what came of it. */
function everyMoment(
  without: NonNullable<BatchProbe['without']>,
  archive: boolean,
  prepare: (share: Share) => CommitJob,
  meddle: (share: Share) => void,
  check: (share: Share, result: CommitResult) => void,
): Set<CommitResult['status']> {
  const seen = new Set<CommitResult['status']>()
  let points = Number.POSITIVE_INFINITY
  for (let moment = 0; moment < points; moment++) {
    const share = new Share()
    try {
      const job = prepare(share)
      let result: CommitResult | undefined
      points = atEveryCall(
        (point) => {
          if (point === moment) meddle(share)
        },
        (step) => {
          result = share.commitOne(job, { without, step }, archive)
        },
      )
      assert.ok(result !== undefined)
      seen.add(result.status)
      check(share, result)
    } finally {
      share.remove()
    }
  }
  return seen
}

/** What the user did to the file at `path`, each leaving "precious" somewhere. */
const EDITS: Readonly<Record<string, (share: Share) => void>> = {
  'writes into it': (share) => fs.appendFileSync(share.at('d/file'), ' precious'),
  'overwrites it': (share) => fs.writeFileSync(share.at('d/file'), 'precious'),
  'saves over it by a rename': (share) => {
    share.write('editor.tmp', 'precious')
    fs.renameSync(share.at('editor.tmp'), share.at('d/file'))
  },
  'replaces it by a directory': (share) => {
    fs.rmSync(share.at('d/file'), { recursive: true, force: true })
    share.write('d/file/precious', 'precious')
  },
  'replaces it by a symlink': (share) => {
    fs.rmSync(share.at('d/file'), { recursive: true, force: true })
    fs.symlinkSync('precious', share.at('d/file'))
  },
  'renames it and makes a new one': (share) => {
    if (share.exists('d/file')) fs.renameSync(share.at('d/file'), share.at('d/precious-too'))
    share.write('d/file', 'precious')
  },
}

function isPrecious(share: Share): boolean {
  return share.seen().some((content) => content.includes('precious'))
}

/** Whoever scans after this result notices what the user did. */
function claimsNothingFalse(share: Share, result: CommitResult, ours: string): void {
  if (result.status !== 'done' || result.stat === undefined) return
  if (!share.exists('d/file') || !sameStat(share.stat('d/file'), result.stat)) return
  assert.equal(share.stat('d/file').type, 'file')
  assert.equal(share.read('d/file'), ours)
}

for (const without of ABILITIES)
  for (const archive of [true, false])
    for (const [what, edit] of Object.entries(EDITS)) {
      // Without an exchange, a rename over the path cannot tell which file it replaces: see commit-replace.ts.
      const isInPlace = what === 'writes into it' || what === 'overwrites it'
      if (without.includes('exchange') && !isInPlace) continue
      const how = `${without.length === 0 ? 'everything' : `no ${without.join(', no ')}`}, archive ${archive}`

      test(`A3: the user ${what} while it is replaced (${how})`, () => {
        const statuses = everyMoment(
          without,
          archive,
          (share) => {
            share.write('d/file', 'old')
            return share.fileJob('d/file', 'new', { slipName: 'file.slipped' })
          },
          edit,
          (share, result) => {
            assert.ok(isPrecious(share), JSON.stringify([...share.files()]))
            claimsNothingFalse(share, result, 'new')
            if (result.status === 'done' && result.slipped !== undefined) {
              assert.match(result.slipped, /^d\/file\.slipped/)
              assert.equal(share.read('d/file'), 'new')
            }
          },
        )
        assert.ok(statuses.has('done') && statuses.has('changed'))
      })

      test(`A3: the user ${what} while it is removed (${how})`, () => {
        everyMoment(
          without,
          archive,
          (share) => {
            share.write('d/file', 'old')
            return { type: 'remove', path: path('d/file'), expect: share.expect('d/file') }
          },
          edit,
          (share) => {
            assert.ok(isPrecious(share), JSON.stringify([...share.files()]))
          },
        )
      })
    }

for (const without of ABILITIES) {
  const how = without.length === 0 ? 'everything' : `no ${without.join(', no ')}`

  test(`A3: the user takes the name of a new file (${how})`, () => {
    everyMoment(
      without,
      true,
      (share) => {
        share.write('d/other', '')
        return share.fileJob('d/file', 'new')
      },
      (share) => {
        // At the one moment between looking and renaming, a file system without links overwrites.
        if (without.includes('link') && !share.exists('d/file')) return
        fs.appendFileSync(share.at('d/file'), 'precious')
      },
      (share, result) => {
        if (!without.includes('link')) assert.ok(isPrecious(share))
        claimsNothingFalse(share, result, 'new')
      },
    )
  })

  test(`A3: the user deletes the file while it is replaced (${how})`, () => {
    everyMoment(
      without,
      true,
      (share) => {
        share.write('d/file', 'old')
        return share.fileJob('d/file', 'new')
      },
      (share) => fs.rmSync(share.at('d/file'), { force: true }),
      (share, result) => {
        claimsNothingFalse(share, result, 'new')
        if (result.status !== 'done') assert.equal(share.exists('d/file'), false)
      },
    )
  })

  test(`A3: the user writes while the local version is displaced (${how})`, () => {
    everyMoment(
      without,
      true,
      (share) => {
        share.write('d/file', 'mine')
        return { type: 'displace', path: path('d/file'), to: path('d/copy'), expect: share.expect('d/file') }
      },
      (share) => fs.appendFileSync(share.at('d/file'), ' precious'),
      (share, result) => {
        assert.ok(isPrecious(share))
        assert.ok(share.seen().some((content) => content.startsWith('mine')))
        if (
          result.status === 'done' &&
          result.stat !== undefined &&
          sameStat(result.stat, share.stat('d/copy'))
        )
          assert.equal(share.read('d/copy'), 'mine')
      },
    )
  })

  test(`A3: the user saves by a rename while the local version is displaced (${how})`, () => {
    if (without.includes('link')) return
    everyMoment(
      without,
      true,
      (share) => {
        share.write('d/file', 'mine')
        return { type: 'displace', path: path('d/file'), to: path('d/copy'), expect: share.expect('d/file') }
      },
      EDITS['saves over it by a rename']!,
      (share) => assert.ok(isPrecious(share)),
    )
  })

  test(`A3: the user takes the name that a local version is displaced to (${how})`, () => {
    if (without.includes('link')) return
    everyMoment(
      without,
      true,
      (share) => {
        share.write('d/file', 'mine')
        return { type: 'displace', path: path('d/file'), to: path('d/copy'), expect: share.expect('d/file') }
      },
      (share) => {
        share.write('editor.tmp', 'precious')
        fs.renameSync(share.at('editor.tmp'), share.at('d/copy'))
      },
      (share) => {
        assert.ok(isPrecious(share))
      },
    )
  })
}

test('A3: a write while mode and time are set is never hidden by them', () => {
  let hidden = 0
  everyMoment(
    [],
    true,
    (share) => {
      share.write('d/file', 'mine')
      return {
        type: 'metadata',
        path: path('d/file'),
        mode: 0o600,
        mtimeUs: 42,
        expect: share.expect('d/file'),
      }
    },
    (share) => fs.writeFileSync(share.at('d/file'), 'MINE'),
    (share, result) => {
      if (
        result.status === 'done' &&
        result.stat !== undefined &&
        sameStat(result.stat, share.stat('d/file'))
      )
        hidden++
    },
  )
  // The one moment between the last look and utimes: a system call that does both does not exist.
  assert.ok(hidden <= 1, `${hidden} moments`)
})

test('A3: a version that slips in is brought back beside the path, whatever is there already', () => {
  const share = new Share()
  try {
    share.write('file', 'old')
    share.write('slip', 'taken')
    const step = (name: string): void => {
      if (name === 'held') fs.appendFileSync(share.at('file'), ' precious')
    }
    const result = share.commitOne(share.fileJob('file', 'new', { slipName: 'slip' }), { step })
    assert.equal((result as { slipped: string }).slipped, 'slip~2')
    assert.deepEqual(share.seen().sort(), ['new', 'old precious', 'taken'])
    share.write('file', 'old')
    const unnamed = share.commitOne(share.fileJob('file', 'new'), { step })
    assert.equal((unnamed as { slipped: string }).slipped, 'file~2')
  } finally {
    share.remove()
  }
})

test('A3: a version that cannot be brought back is kept, and the result says where', () => {
  const share = new Share()
  try {
    share.write('file', 'old')
    const step = (name: string): void => {
      if (name === 'held') fs.appendFileSync(share.at('file'), ' precious')
    }
    const slipName = 'x'.repeat(256)
    const refused = share.commitOne(share.fileJob('file', 'new', { slipName }), { step })
    assert.equal((refused as { code: string }).code, 'BAD_PATH')
    for (const archive of [true, false]) {
      share.write('file', 'old')
      const fail = (name: string): void => {
        step(name)
        if (name === 'slipping') throw Object.assign(new Error('ENOSPC: full, link'), { code: 'ENOSPC' })
      }
      const result = share.commitOne(share.fileJob('file', 'new'), { step: fail }, archive)
      assert.equal(result.status, 'done')
      const { problem } = result as CommitResult & { status: 'done' }
      const kept = /kept at (.*)$/.exec(problem!.detail)![1]!
      assert.equal(share.read(kept), 'old precious')
    }
  } finally {
    share.remove()
  }
})
