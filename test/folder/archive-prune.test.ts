// The one thing that deletes what users had, against what may lie in its way: links, mounts' stand-ins, other folders,
// and somebody who exchanges directories between any two system calls.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  listArchiveDays,
  type Pruned,
  pruneArchive,
  removeEmptyArchiveDirectories,
} from '../../src/folder/archive-prune.js'
import { atEveryCall, Share } from './commit-kit.js'

const DAY_MS = 86_400_000
const DAY = new Date().toISOString().slice(0, 10)
const TOP = `.shoal/archive/${DAY}`
/** A hundred days from now everything that a test puts down is old. */
const LATER = { nowMs: Date.now() + 100 * DAY_MS, unusedMs: 99 * DAY_MS, ttlMs: 30 * DAY_MS }

function withShare(body: (share: Share, outside: string) => void): void {
  const share = new Share()
  const outside = fs.mkdtempSync(join(tmpdir(), 'shoal-outside-'))
  fs.writeFileSync(join(outside, 'precious'), 'precious')
  try {
    body(share, outside)
  } finally {
    share.remove()
    fs.rmSync(outside, { recursive: true, force: true })
  }
}

function target(share: Share): { root: string; expectRoot: { dev: number; ino: number } } {
  const { dev, ino } = fs.statSync(share.root)
  return { root: share.root, expectRoot: { dev, ino } }
}

function prune(
  share: Share,
  directory = TOP,
  more: Partial<Parameters<typeof pruneArchive>[0]> = {},
): Pruned {
  return pruneArchive({ ...target(share), directory, time: LATER, limit: 1000, ...more })
}

test('old files and links go, directories are named, the share and the rest of .shoal stay', () => {
  withShare((share, outside) => {
    share.write('mine', 'mine')
    share.write(`${TOP}/a`, 'old')
    share.write(`${TOP}/b/c`, 'old')
    share.write('.shoal/archive/recovered/held-1', 'perhaps the only copy')
    share.write('.shoal/archive/other/x', 'not ours')
    fs.symlinkSync(join(outside, 'precious'), share.at(`${TOP}/link`))
    assert.deepEqual(listArchiveDays(target(share)).days, [DAY])
    assert.deepEqual(prune(share), {
      removed: 2,
      kept: 0,
      directories: [`${TOP}/b`],
      more: false,
      faults: [],
    })
    assert.equal(prune(share, `${TOP}/b`).removed, 1)
    const directories = [`${TOP}/b`, TOP]
    assert.equal(removeEmptyArchiveDirectories({ ...target(share), directories }).removed, 2)
    assert.deepEqual(
      [...share.files().keys()].sort(),
      ['.shoal/archive/other/x', '.shoal/archive/recovered/held-1', 'mine'].sort(),
    )
    assert.equal(fs.readFileSync(join(outside, 'precious'), 'utf8'), 'precious')
  })
})

test('a younger version stays, by its day, by its ctime, and by what was put there last', () => {
  withShare((share) => {
    share.write(`${TOP}/a`, 'x')
    const now = Date.now()
    for (const time of [
      { ...LATER, nowMs: now },
      { ...LATER, nowMs: now + 29 * DAY_MS },
      { ...LATER, unusedMs: 29 * DAY_MS },
      { ...LATER, ttlMs: 0 },
    ])
      assert.deepEqual(prune(share, TOP, { time }), {
        removed: 0,
        kept: 1,
        directories: [],
        more: false,
        faults: [],
      })
    // Its day is long ago, as after a start with a dead clock, but its ctime is not.
    share.write('.shoal/archive/2001-01-01/b', 'x')
    const time = { ...LATER, nowMs: now }
    assert.equal(prune(share, '.shoal/archive/2001-01-01', { time }).kept, 1)
    assert.equal(share.read('.shoal/archive/2001-01-01/b'), 'x')
  })
})

test('a limit is kept, and what is left is for the next call', () => {
  withShare((share) => {
    for (let i = 0; i < 5; i++) share.write(`${TOP}/${i}`, 'x')
    assert.deepEqual(
      [1, 2, 3].map(() => prune(share, TOP, { limit: 2 })).map(({ removed, more }) => [removed, more]),
      [
        [2, true],
        [2, true],
        [1, false],
      ],
    )
  })
})

test('nothing outside of a day of the archive is ever touched, whatever is asked for', () => {
  withShare((share) => {
    share.write('mine', 'mine')
    share.write('.shoal/staging/held-1', 'x')
    share.write('.shoal/archive/recovered/held-1', 'x')
    const before = share.files()
    for (const directory of [
      ...[
        '',
        '.',
        '.shoal',
        '.shoal/staging',
        '.shoal/archive',
        '.shoal/archive/',
        '.shoal/archive/recovered',
      ],
      ...[`${TOP}/..`, `${TOP}/../..`, `${TOP}/../../..`, '.shoal/archive/../staging', `/${TOP}`],
      ...['.shoal/archive/2024-02-30', `.shoal/archive/./${DAY}`, 'x/.shoal/archive/2024-01-01'],
    ]) {
      assert.equal(prune(share, directory).removed, 0, directory)
      const removal = removeEmptyArchiveDirectories({ ...target(share), directories: [directory] })
      assert.equal(removal.removed, 0, directory)
    }
    assert.deepEqual(share.files(), before)
  })
})

test('a link in place of the archive, of a day, or of a directory in it is not followed', () => {
  for (const at of ['.shoal/archive', TOP, `${TOP}/d`]) {
    withShare((share, outside) => {
      fs.mkdirSync(join(outside, DAY, 'd'), { recursive: true })
      fs.writeFileSync(join(outside, DAY, 'd', 'precious'), 'precious')
      fs.writeFileSync(join(outside, DAY, 'precious'), 'precious')
      fs.rmSync(share.at(at), { recursive: true, force: true })
      fs.mkdirSync(join(share.at(at), '..'), { recursive: true })
      const leadsTo = at === TOP ? join(outside, DAY) : at === `${TOP}/d` ? join(outside, DAY, 'd') : outside
      fs.symlinkSync(leadsTo, share.at(at))
      for (const directory of [TOP, `${TOP}/d`]) if (directory !== at || at !== TOP) prune(share, directory)
      removeEmptyArchiveDirectories({ ...target(share), directories: [`${TOP}/d`, TOP] })
      for (const name of ['precious', `${DAY}/precious`, `${DAY}/d/precious`])
        assert.equal(fs.readFileSync(join(outside, name), 'utf8'), 'precious', `${at}: ${name}`)
    })
  }
})

test('a directory exchanged for a link, or moved away, between any two system calls loses nothing', () => {
  let points = 1
  for (let point = 0; point < points; point++) {
    for (const meddle of ['link', 'move'] as const) {
      withShare((share, outside) => {
        share.write(`${TOP}/d/a`, 'old')
        share.write(`${TOP}/d/b`, 'old')
        fs.writeFileSync(join(outside, 'a'), 'precious')
        fs.writeFileSync(join(outside, 'b'), 'precious')
        const rescued = share.at('rescued')
        let moved = 0
        const seen = atEveryCall(
          (now) => {
            if (now !== point) return
            moved = fs.readdirSync(share.at(`${TOP}/d`)).length
            fs.renameSync(share.at(`${TOP}/d`), rescued)
            if (meddle === 'link') fs.symlinkSync(outside, share.at(`${TOP}/d`))
          },
          () => prune(share, `${TOP}/d`),
        )
        points = Math.max(points, seen)
        for (const name of ['a', 'b', 'precious'])
          assert.equal(fs.readFileSync(join(outside, name), 'utf8'), 'precious', `${meddle} at ${point}`)
        // Only the one whose removal was already under way may still go with the directory that was moved.
        if (fs.existsSync(rescued))
          assert.ok(fs.readdirSync(rescued).length >= moved - 1, `${meddle} at ${point}`)
      })
    }
  }
  assert.ok(points > 10)
})

test('a root that is another directory than before is left alone', () => {
  withShare((share) => {
    share.write(`${TOP}/a`, 'old')
    const { dev, ino } = fs.statSync(share.root)
    const expectRoot = { dev, ino: ino + 1 }
    assert.deepEqual(prune(share, TOP, { expectRoot }).faults[0]?.code, 'ROOT_CHANGED')
    assert.equal(share.read(`${TOP}/a`), 'old')
  })
})

test('what is no version stays: a name that is not UTF-8, a fifo, a directory that is not empty', () => {
  withShare((share) => {
    share.write(`${TOP}/d/a`, 'old')
    fs.writeFileSync(Buffer.concat([Buffer.from(`${share.at(TOP)}/`), Buffer.from([0xff, 0xfe])]), 'x')
    const pruned = prune(share)
    assert.deepEqual([pruned.removed, pruned.kept, pruned.directories.length], [0, 1, 1])
    const { removed, faults } = removeEmptyArchiveDirectories({ ...target(share), directories: [TOP] })
    assert.deepEqual([removed, faults.length], [0, 0])
  })
})
