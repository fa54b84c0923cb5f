import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { mtimeUsOf, sameStat } from '../../src/core/stat.js'
import { commitBatch } from '../../src/folder/commit.js'
import type { CommitResult } from '../../src/folder/commit-job.js'
import type { SyncCalls } from '../../src/folder/durable.js'
import { FolderPool } from '../../src/folder/pool.js'
import { AT_MS, DAY, path, Share, token } from './commit-kit.js'

let share: Share

beforeEach(() => {
  share = new Share()
})

afterEach(() => share.remove())

function done(result: CommitResult): CommitResult & { readonly status: 'done' } {
  assert.equal(result.status, 'done', JSON.stringify(result))
  return result as CommitResult & { readonly status: 'done' }
}

function stagingIsEmpty(): void {
  assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
}

test('A2: a new file gets its content, mode and time at once', () => {
  share.write('dir/other', '')
  const result = done(
    share.commitOne(share.fileJob('dir/new', 'content', { mode: 0o4751, mtimeUs: -12_345 })),
  )
  assert.equal(share.read('dir/new'), 'content')
  const stat = share.stat('dir/new')
  assert.equal(stat.mode, 0o4751)
  assert.equal(mtimeUsOf(stat), -12_345)
  assert.equal(stat.nlink, 1)
  assert.deepEqual(result.stat, stat)
  assert.equal(result.archived, undefined)
  stagingIsEmpty()
})

test('A2, A3: a replaced file is archived under its own path and day', () => {
  share.write('a/b', 'old')
  const before = share.stat('a/b')
  const result = done(share.commitOne(share.fileJob('a/b', 'new')))
  assert.equal(share.read('a/b'), 'new')
  assert.equal(result.archived, `${DAY}/a/b`)
  assert.equal(share.read(`.shoal/archive/${DAY}/a/b`), 'old')
  assert.equal(share.stat(`.shoal/archive/${DAY}/a/b`).ino, before.ino)
  assert.deepEqual(result.stat, share.stat('a/b'))
  stagingIsEmpty()
  const again = done(share.commitOne(share.fileJob('a/b', 'newer')))
  assert.equal(again.archived, `${DAY}/a/b~2`)
  assert.equal(share.read(`.shoal/archive/${DAY}/a/b~2`), 'new')
})

for (const without of [['exchange'], ['link'], ['exchange', 'link']] as const) {
  test(`A2, A3: replacing and removing without ${without.join(' and ')}`, () => {
    share.write('file', 'old')
    fs.chmodSync(share.at('file'), 0o604)
    fs.symlinkSync('old target', share.at('link'))
    const old = share.stat('file')
    const options = { without }
    const file = done(share.commitOne(share.fileJob('file', 'new'), options))
    assert.equal(share.read('file'), 'new')
    assert.deepEqual(file.stat, share.stat('file'))
    const kept = share.stat(`.shoal/archive/${file.archived}`)
    assert.equal(share.read(`.shoal/archive/${file.archived}`), 'old')
    assert.equal(kept.mode, 0o604)
    // A copy keeps microseconds, a link everything.
    assert.ok(Math.abs(kept.mtimeMs - old.mtimeMs) < 0.001)
    const link = done(
      share.commitOne(
        {
          type: 'symlink',
          path: path('link'),
          target: 'new target',
          mtimeUs: 5,
          expect: share.expect('link'),
        },
        options,
      ),
    )
    assert.equal(fs.readlinkSync(share.at('link')), 'new target')
    assert.equal(fs.readlinkSync(share.at(`.shoal/archive/${link.archived}`)), 'old target')
    done(share.commitOne(share.fileJob('fresh', 'fresh'), options))
    assert.equal(share.read('fresh'), 'fresh')
    const { archived } = done(
      share.commitOne({ type: 'remove', path: path('file'), expect: share.expect('file') }, options),
    )
    assert.equal(share.read(`.shoal/archive/${archived}`), 'new')
    done(
      share.commitOne(
        { type: 'mkdir', path: path('link'), mode: 0o755, expect: share.expect('link') },
        options,
      ),
    )
    assert.ok(share.stat('link').type === 'directory')
    stagingIsEmpty()
  })
}

test('without an archive nothing of the old version stays', () => {
  for (const without of [[], ['exchange'], ['link'], ['exchange', 'link']] as const) {
    share.write('file', 'old')
    const result = done(share.commitOne(share.fileJob('file', 'new'), { without }, false))
    assert.equal(result.archived, undefined)
    done(
      share.commitOne(
        { type: 'remove', path: path('file'), expect: share.expect('file') },
        { without },
        false,
      ),
    )
    assert.deepEqual(share.all(), [])
  }
})

test('a job may be archived although the batch is not', () => {
  share.write('drift', 'mine')
  const job = { ...share.fileJob('drift', 'theirs'), archive: true } as const
  assert.equal(done(share.commitOne(job, {}, false)).archived, `${DAY}/drift`)
})

test('A3: what is not as the index says is left alone', () => {
  const cases: [string, () => void][] = [
    ['content', () => share.write('file', 'edited')],
    ['mode', () => fs.chmodSync(share.at('file'), 0o600)],
    ['time', () => fs.utimesSync(share.at('file'), 1, 1)],
    ['inode', () => share.write('other', 'old') ?? fs.renameSync(share.at('other'), share.at('file'))],
    ['gone', () => fs.unlinkSync(share.at('file'))],
    ['symlink', () => fs.rmSync(share.at('file')) ?? fs.symlinkSync('x', share.at('file'))],
    ['directory', () => fs.rmSync(share.at('file')) ?? fs.mkdirSync(share.at('file'))],
  ]
  for (const [name, edit] of cases) {
    share.write('file', 'old')
    fs.chmodSync(share.at('file'), 0o644)
    const expect = share.expect('file')
    edit()
    const edited = JSON.stringify([...share.files()])
    for (const job of [
      share.fileJob('file', 'new', { expect }),
      { type: 'symlink', path: path('file'), target: 't', mtimeUs: 0, expect },
      { type: 'mkdir', path: path('file'), mode: 0o755, expect },
      { type: 'metadata', path: path('file'), mode: 0o777, mtimeUs: 0, expect },
      { type: 'remove', path: path('file'), expect },
      { type: 'displace', path: path('file'), to: path('to'), expect },
    ] as const) {
      assert.deepEqual(share.commitOne(job), { status: 'changed' }, `${name} ${job.type}`)
      fs.rmSync(share.at(`.shoal/staging/${token(1)}`), { force: true })
      assert.equal(JSON.stringify([...share.files()]), edited)
    }
    fs.rmSync(share.at('file'), { recursive: true, force: true })
  }
})

test('A3: what should be absent and is not is left alone', () => {
  share.write('file', 'mine')
  fs.mkdirSync(share.at('dir'))
  fs.symlinkSync('nowhere', share.at('link'))
  for (const name of ['file', 'dir', 'link'])
    for (const job of [
      share.fileJob(name, 'theirs', { expect: { type: 'absent' } }),
      { type: 'symlink', path: path(name), target: 't', mtimeUs: 0, expect: { type: 'absent' } },
      { type: 'mkdir', path: path(name), mode: 0o755, expect: { type: 'absent' } },
      { type: 'remove', path: path(name), expect: { type: 'absent' } },
    ] as const)
      assert.deepEqual(share.commitOne(job), { status: 'changed' })
  assert.equal(share.read('file'), 'mine')
  assert.deepEqual(share.commitOne({ type: 'remove', path: path('none'), expect: { type: 'absent' } }), {
    status: 'done',
  })
})

test('symlinks come, replace files and are replaced, with their times', () => {
  const job = (name: string, target: string) =>
    ({
      type: 'symlink',
      path: path(name),
      target,
      mtimeUs: 1_500_000_000_000_001,
      expect: share.expect(name),
    }) as const
  const target = '../../etc/passwd\n\\'
  const made = done(share.commitOne(job('link', target)))
  assert.equal(fs.readlinkSync(share.at('link')), target)
  assert.equal(mtimeUsOf(made.stat!), 1_500_000_000_000_001)
  assert.deepEqual(made.stat, share.stat('link'))
  share.write('file', 'old')
  done(share.commitOne(job('file', 'x')))
  assert.equal(fs.readlinkSync(share.at('file')), 'x')
  assert.equal(share.read(`.shoal/archive/${DAY}/file`), 'old')
  done(share.commitOne(share.fileJob('file', 'again')))
  assert.equal(share.read('file'), 'again')
  assert.equal(fs.readlinkSync(share.at(`.shoal/archive/${DAY}/file~2`)), 'x')
  done(share.commitOne({ type: 'remove', path: path('link'), expect: share.expect('link') }))
  assert.equal(fs.readlinkSync(share.at(`.shoal/archive/${DAY}/link`)), target)
  stagingIsEmpty()
})

test('directories come with exactly their mode, also under a setgid parent and over a file', () => {
  const old = process.umask(0o077)
  try {
    const make = (name: string, mode: number) =>
      done(share.commitOne({ type: 'mkdir', path: path(name), mode, expect: share.expect(name) }))
    for (const mode of [0o755, 0o2775, 0o1777, 0o6711, 0o555]) {
      const name = `d${mode.toString(8)}`
      assert.equal(make(name, mode).stat?.mode, mode)
      assert.equal(make(`${name}/child`, 0o755).stat?.mode, 0o755)
    }
    share.write('file', 'old')
    const over = make('file', 0o3750)
    assert.equal(share.stat('file').type, 'directory')
    assert.equal(over.stat?.mode, 0o3750)
    assert.equal(share.read(`.shoal/archive/${over.archived}`), 'old')
  } finally {
    process.umask(old)
  }
})

test('a directory gets its final mode and time after its children', () => {
  const results = share.commit([
    { type: 'mkdir', path: path('d'), mode: 0o755, expect: { type: 'absent' } },
    share.fileJob('d/f', 'x'),
    { type: 'directory', path: path('d'), mode: 0o2755, mtimeUs: 1_000_000 },
    { type: 'directory', path: path('none'), mode: 0o755, mtimeUs: 0 },
    { type: 'directory', path: path('d/f'), mode: 0o755, mtimeUs: 0 },
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['done', 'done', 'done', 'changed', 'blocked'],
  )
  assert.equal(share.stat('d').mode, 0o2755)
  assert.equal(share.stat('d').mtimeMs, 1000)
  assert.deepEqual(done(results[2]!).stat, share.stat('d'))
})

test('a directory is removed when empty and blocked when not; its new times do not matter', () => {
  share.write('d/keep', '')
  const expect = share.expect('d')
  const remove = { type: 'remove', path: path('d'), expect } as const
  assert.deepEqual(share.commitOne(remove), { status: 'blocked', code: 'ENOTEMPTY' })
  const both = share.commit([
    { type: 'remove', path: path('d/keep'), expect: share.expect('d/keep') },
    remove,
  ])
  assert.deepEqual(
    both.map(({ status }) => status),
    ['done', 'done'],
  )
  assert.equal(share.exists('d'), false)
})

test('metadata changes neither content nor inode', () => {
  share.write('file', 'same')
  fs.symlinkSync('t', share.at('link'))
  fs.mkdirSync(share.at('dir'))
  const { ino } = share.stat('file')
  for (const name of ['file', 'link', 'dir']) {
    const job = {
      type: 'metadata',
      path: path(name),
      mode: 0o1750,
      mtimeUs: 77,
      expect: share.expect(name),
    } as const
    const { stat } = done(share.commitOne(job))
    assert.equal(mtimeUsOf(stat!), 77)
    assert.deepEqual(stat, share.stat(name))
    if (name !== 'link') assert.equal(stat?.mode, 0o1750)
  }
  done(share.commitOne({ type: 'metadata', path: path('file'), mtimeUs: 78, expect: share.expect('file') }))
  assert.equal(share.stat('file').mode, 0o1750)
  assert.equal(share.stat('file').ino, ino)
  assert.equal(share.read('file'), 'same')
})

test('V5: a local version is displaced to a free name, and never over anything', () => {
  share.write('file', 'mine')
  fs.mkdirSync(share.at('dir'))
  share.write('dir/in', 'in')
  share.write('taken', 'taken')
  const displace = (name: string, to: string) =>
    share.commitOne({ type: 'displace', path: path(name), to: path(to), expect: share.expect(name) })
  for (const without of [[], ['link']] as const)
    for (const name of ['file', 'dir']) {
      const job = {
        type: 'displace',
        path: path(name),
        to: path('taken'),
        expect: share.expect(name),
      } as const
      assert.deepEqual(share.commitOne(job, { without }), { status: 'blocked', code: 'EEXIST' })
    }
  const moved = done(displace('file', 'dir/file.conflict'))
  assert.equal(share.read('dir/file.conflict'), 'mine')
  assert.deepEqual(moved.stat, share.stat('dir/file.conflict'))
  assert.equal(share.exists('file'), false)
  done(displace('dir', 'dir.conflict'))
  assert.equal(share.read('dir.conflict/in'), 'in')
  // A crash after the link leaves both names on one inode.
  fs.linkSync(share.at('taken'), share.at('twin'))
  done(displace('taken', 'twin'))
  assert.equal(share.exists('taken'), false)
  assert.equal(share.read('twin'), 'taken')
  stagingIsEmpty()
})

test('A1: blocked by what stands where a parent should be', () => {
  fs.mkdirSync(share.at('real'))
  fs.symlinkSync('real', share.at('link'))
  share.write('file', '')
  const absent = { expect: { type: 'absent' } } as const
  for (const [name, code] of [
    ['none/x', 'PARENT_MISSING'],
    ['link/x', 'SYMLINK_IN_PATH'],
    ['file/x', 'NOT_A_DIRECTORY'],
  ] as const)
    assert.deepEqual(share.commitOne(share.fileJob(name, 'x', absent)), { status: 'blocked', code })
  const onto = share.fileJob('real', 'x')
  assert.deepEqual(share.commitOne(onto), { status: 'blocked', code: 'IS_A_DIRECTORY' })
  assert.deepEqual(fs.readdirSync(share.at('real')), [])
})

test('A1: no job reaches our own folder or out of the share, whatever its types claim', () => {
  for (const bad of ['.shoal/marker.json', '.shoal', '../x', '/etc/x', 'a//b', ''])
    for (const job of [
      { ...share.fileJob('x', 'x'), path: bad },
      { type: 'remove', path: bad, expect: { type: 'absent' } },
      { type: 'displace', path: 'x', to: bad, expect: { type: 'absent' } },
    ])
      assert.equal((share.commitOne(job as never) as { code: string }).code, 'BAD_PATH')
  for (const slipName of ['a/b', '..', '', '.shoal'])
    assert.equal(
      (share.commitOne(share.fileJob('x', 'x', { slipName })) as { code: string }).code,
      'BAD_PATH',
    )
})

test('A5: without our own folder, or with a symlink for it, nothing is done', () => {
  const job = { type: 'mkdir', path: path('d'), mode: 0o755, expect: { type: 'absent' } } as const
  for (const name of ['.shoal/archive', '.shoal/staging', '.shoal']) {
    fs.renameSync(share.at(name), share.at('elsewhere'))
    fs.symlinkSync(share.at('elsewhere'), share.at(name))
    assert.equal((share.commitOne(job) as { code: string }).code, 'OWN_DIR_UNUSABLE')
    fs.unlinkSync(share.at(name))
    assert.equal((share.commitOne(job) as { code: string }).code, 'OWN_DIR_UNUSABLE')
    fs.renameSync(share.at('elsewhere'), share.at(name))
  }
  assert.equal(share.exists('d'), false)
  const { dev, ino } = share.stat('')
  const commit = (expectRoot: { dev: number; ino: number }) =>
    commitBatch({ root: share.root, jobs: [job], options: { archive: true, atMs: AT_MS, expectRoot } })[0]
  assert.equal((commit({ dev, ino: ino + 1 }) as { code: string }).code, 'ROOT_CHANGED')
  assert.equal(commit({ dev, ino })?.status, 'done')
  share.remove()
  assert.equal((share.commitOne(job) as { code: string }).code, 'ENOENT')
})

test('a staged file that is missing, short, linked or a symlink never gets its name', () => {
  const job = share.fileJob('file', 'content')
  const staged = share.at(`.shoal/staging/${token(1)}`)
  const refuse = (why: RegExp) => {
    const result = share.commitOne(job)
    assert.equal(result.status, 'failed')
    assert.equal((result as { code: string }).code, 'STAGED_UNUSABLE')
    assert.match((result as { detail: string }).detail, why)
    assert.equal(share.exists('file'), false)
  }
  fs.truncateSync(staged, 3)
  refuse(/3 bytes, not 7/)
  fs.writeFileSync(staged, 'content')
  fs.linkSync(staged, share.at('other'))
  refuse(/another name/)
  fs.rmSync(staged)
  refuse(/there is none/)
  fs.symlinkSync(share.at('other'), staged)
  refuse(/there is none/)
  fs.rmSync(staged)
  fs.mkdirSync(staged)
  refuse(/not a file/)
})

test('A6: a job that fails does not stop the others', () => {
  fs.mkdirSync(share.at('dir'))
  const results = share.commit([
    { type: 'remove', path: path('none'), expect: { type: 'stat', stat: share.stat('dir') } },
    share.fileJob('none/x', 'x', { seed: 1 }),
    { ...share.fileJob('good', 'x', { seed: 2 }), token: token(9) } as never,
    share.fileJob('good', 'good', { seed: 3, expect: { type: 'absent' } }),
    { type: 'symlink', path: path('long'), target: 'x'.repeat(5000), mtimeUs: 0, expect: { type: 'absent' } },
    { type: 'mkdir', path: path('last'), mode: 0o755, expect: { type: 'absent' } },
  ])
  assert.deepEqual(
    results.map((result) => ('code' in result ? result.code : result.status)),
    ['changed', 'PARENT_MISSING', 'STAGED_UNUSABLE', 'done', 'ENAMETOOLONG', 'done'],
  )
  assert.equal(share.read('good'), 'good')
})

test('strange names and names of 255 bytes are replaced, archived and removed', () => {
  const long = `${'x'.repeat(254)}ü`.slice(1)
  for (const name of [
    '-rf',
    '__proto__',
    'a\\b',
    'line\nbreak',
    ' ',
    `${'ü'.repeat(127)}x`,
    long,
    'constructor',
  ]) {
    assert.ok(Buffer.byteLength(name) <= 255)
    done(share.commitOne(share.fileJob(name, '1')))
    done(share.commitOne(share.fileJob(name, '2')))
    done(share.commitOne(share.fileJob(name, '3')))
    assert.equal(share.read(name), '3')
    const { archived } = done(
      share.commitOne({ type: 'remove', path: path(name), expect: share.expect(name) }),
    )
    assert.equal(share.read(`.shoal/archive/${archived}`), '3')
    assert.equal(share.exists(name), false)
  }
})

test('times survive to the microsecond', () => {
  share.write('file', '')
  fc.assert(
    fc.property(fc.integer({ min: -2_000_000_000_000_000, max: 4_000_000_000_000_000 }), (mtimeUs) => {
      const job = { type: 'metadata', path: path('file'), mtimeUs, expect: share.expect('file') } as const
      assert.equal(mtimeUsOf(done(share.commitOne(job)).stat!), mtimeUs)
    }),
    { numRuns: 300, examples: [[0], [-1], [1], [-999_999], [-1_000_000], [999_999]] },
  )
})

test('A4: content is durable before its name, and names before the report', () => {
  const log: string[] = []
  const syncCalls: SyncCalls = {
    fsync: (fd) => log.push(`fsync ${fs.readlinkSync(`/proc/self/fd/${fd}`).slice(share.root.length)}`),
    syncFileSystem: () => log.push('all') > 0,
  }
  const step = (name: string): void => void (name === 'placed' || name === 'exchanged' ? log.push(name) : 0)
  share.write('a/old', 'old')
  share.commit([share.fileJob('a/new', 'x', { seed: 1 }), share.fileJob('a/old', 'y', { seed: 2 })], {
    syncCalls,
    step,
  })
  assert.deepEqual(log.splice(0), [
    `fsync /.shoal/staging/${token(1)}`,
    `fsync /.shoal/staging/${token(2)}`,
    'placed',
    'exchanged',
    'fsync /a',
    'fsync /.shoal/archive',
    `fsync /.shoal/archive/${DAY}`,
    `fsync /.shoal/archive/${DAY}/a`,
  ])
  const many = Array.from({ length: 40 }, (_, i) => share.fileJob(`many-${i}`, 'x', { seed: 100 + i }))
  share.commit(many, { syncCalls, step })
  assert.deepEqual(new Set(log.slice(0, 1)), new Set(['all']))
  assert.deepEqual(log.slice(1, 41), Array(40).fill('placed'))
  assert.deepEqual(log.slice(41), ['fsync '])
})

test('A4: what cannot be made durable is not reported as done', () => {
  const fails = (code: string) => () => {
    throw Object.assign(new Error(`${code}: i/o error, fsync`), { code })
  }
  const syncCalls = { fsync: fails('EIO'), syncFileSystem: () => false }
  const content = share.commitOne(share.fileJob('file', 'x'), { syncCalls })
  assert.equal((content as { code: string }).code, 'EIO')
  assert.equal(share.exists('file'), false)
  let count = 0
  const later = { ...syncCalls, fsync: () => (count++ > 0 ? fails('EIO')() : undefined) }
  const name = share.commitOne(share.fileJob('file', 'x'), { syncCalls: later })
  assert.equal((name as { code: string }).code, 'NOT_DURABLE')
  const many = Array.from({ length: 40 }, (_, i) => share.fileJob(`many-${i}`, 'x', { seed: 100 + i }))
  assert.deepEqual(
    new Set(share.commit(many, { syncCalls }).map((result) => (result as { code: string }).code)),
    new Set(['EIO']),
  )
})

test('the pool commits in a worker, with real durability', async () => {
  const pool = new FolderPool({ threads: 1 })
  try {
    share.write('old', 'old')
    const jobs = [
      share.fileJob('old', 'new', { seed: 999 }),
      ...Array.from({ length: 40 }, (_, i) => share.fileJob(`many-${i}`, `${i}`, { seed: i })),
    ]
    const results = await pool.commit(share.root, jobs, { archive: true, atMs: AT_MS })
    for (const result of results) done(result)
    assert.ok(sameStat(done(results[0]!).stat!, share.stat('old')))
    assert.equal(share.read('many-39'), '39')
    share.stage(5, 'left')
    const cleaned = await pool.cleanStaging(share.root, [token(5)])
    assert.equal(cleaned.removed, 0)
    assert.equal((await pool.cleanStaging(share.root, [])).removed, 1)
  } finally {
    await pool.close()
  }
})
