// Owners, attributes and modes are set in an order that never gives anybody more than was meant, through descriptors
// (A1), before a file has its name (A2), and never over what a user does meanwhile (A3).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { mock } from 'node:test'
import { ACL_ACCESS, ACL_DEFAULT } from '../../src/core/raw-attributes.js'
import { packShown } from '../../src/core/shown.js'
import type { CommitJob, CommitResult } from '../../src/folder/commit-job.js'
import { ALL, acl, attributesAt, packed, setAttribute } from './attribute-kit.js'
import { atEveryCall, path, Share, token } from './commit-kit.js'
import { ACL_640, ALICE, DRESS, done, dressed, owner, STAFF, stageFile, TIME_US, WORN } from './dress-kit.js'

dressed('A2: a file has all of it before it has its name', (share) => {
  const states: unknown[] = []
  const step = (name: string): void => {
    if (name === 'linked') states.push([owner(share, 'f'), share.stat('f').mode, attributesAt(share.at('f'))])
  }
  const { stat, shown } = done(
    share.commitOne(share.fileJob('f', 'new', { mode: 0o6640, dress: DRESS }), { step }),
  )
  assert.deepEqual(states, [[[ALICE, STAFF], 0o6640, WORN]])
  assert.deepEqual(stat, share.stat('f'))
  assert.equal(shown, undefined)
  assert.equal(share.read('f'), 'new')
})

dressed('A2: what replaces a file is dressed, and does not take over what that had', (share) => {
  share.write('f', 'old')
  setAttribute(share.at('f'), 'user.old', 'x')
  const { archived } = done(share.commitOne(share.fileJob('f', 'new', { dress: DRESS })))
  assert.deepEqual(attributesAt(share.at('f')), WORN)
  assert.deepEqual(attributesAt(share.at(`.shoal/archive/${archived}`)), { 'user.old': 'x' })
})

dressed('what staging did is not done again, and not even looked at', (share) => {
  const mode = 0o4640
  const staged = stageFile(share, { mode, mtimeUs: TIME_US, dress: DRESS })
  const at = share.at(`.shoal/staging/${token(1)}`)
  assert.deepEqual(attributesAt(at), WORN)
  assert.equal(fs.statSync(at).mode & 0o7777, mode)
  const many = Array.from({ length: 40 }, (_, i) => share.fileJob(`other${i}`, 'x', { seed: i + 2 }))
  const job: CommitJob = {
    ...{ type: 'file', path: path('f'), token: token(1), size: 0, mode, mtimeUs: TIME_US },
    ...{ dress: DRESS, staged, expect: { type: 'absent' } },
  }
  const opened: string[] = []
  const real = fs.openSync
  mock.method(fs, 'openSync', (...args: Parameters<typeof fs.openSync>) => {
    opened.push(String(args[0]))
    return real(...args)
  })
  const results = share.commit([job, ...many])
  assert.deepEqual(done(results[0]!).stat, share.stat('f'))
  assert.equal(opened.filter((name) => name.endsWith(token(1))).length, 0)
  assert.ok(
    opened.some((name) => name.endsWith(token(2))),
    'the others were not staged so',
  )
})

dressed('what was touched since staging is dressed anew', (share) => {
  const staged = stageFile(share, { mode: 0o640, mtimeUs: TIME_US, dress: DRESS })
  setAttribute(share.at(`.shoal/staging/${token(1)}`), 'user.late', 'x')
  const job: CommitJob = {
    ...{ type: 'file', path: path('f'), token: token(1), size: 0, mode: 0o640, mtimeUs: TIME_US },
    ...{ dress: DRESS, staged, expect: { type: 'absent' } },
  }
  done(share.commitOne(job))
  assert.deepEqual(attributesAt(share.at('f')), WORN)
})

dressed('a directory is dressed before it has its name, and gets nothing from where it is made', (share) => {
  fs.mkdirSync(share.at('d'))
  setAttribute(share.at('d'), ACL_DEFAULT, acl(0o777, 'user', 777, 7))
  setAttribute(share.root, ACL_DEFAULT, acl(0o777, 'user', 777, 7))
  const seen: unknown[] = []
  const look = (): void => {
    if (share.exists('d/sub')) seen.push([owner(share, 'd/sub'), share.stat('d/sub').mode])
  }
  const dress = { uid: ALICE, gid: STAFF, attributes: packed({ [ACL_DEFAULT]: acl(0o750, 'group', 9, 5) }) }
  let result: CommitResult | undefined
  atEveryCall(look, (step) => {
    const job: CommitJob = {
      type: 'mkdir',
      path: path('d/sub'),
      mode: 0o3770,
      expect: { type: 'absent' },
      dress,
    }
    result = share.commitOne(job, { step })
  })
  assert.deepEqual(done(result!).stat, share.stat('d/sub'))
  assert.deepEqual(
    new Set(seen.map((each) => JSON.stringify(each))),
    new Set([JSON.stringify([[ALICE, STAFF], 0o3770])]),
  )
  assert.deepEqual(attributesAt(share.at('d/sub')), {
    [ACL_DEFAULT]: acl(0o750, 'group', 9, 5).toString('hex'),
  })
  assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
})

dressed('a directory in place of a file is dressed, with and without exchange', (share) => {
  for (const without of [[], ['exchange'], ['link', 'exchange']] as const) {
    share.write('x', 'old')
    const dress = { uid: ALICE, gid: STAFF, attributes: packed({ 'user.d': 'y' }) }
    const job: CommitJob = { type: 'mkdir', path: path('x'), mode: 0o700, expect: share.expect('x'), dress }
    assert.deepEqual(done(share.commitOne(job, { without })).stat, share.stat('x'))
    assert.deepEqual([owner(share, 'x'), attributesAt(share.at('x'))], [[ALICE, STAFF], { 'user.d': 'y' }])
    fs.rmdirSync(share.at('x'))
  }
})

dressed('what is made in the staging area gets no ACL from above the share', () => {
  const outer = new Share()
  try {
    setAttribute(outer.root, ACL_DEFAULT, acl(0o777, 'user', 777, 7))
    fs.mkdirSync(outer.at('inner'))
    const share = new Share(outer.at('inner'))
    done(share.commitOne(share.fileJob('f', 'x')))
    assert.deepEqual(attributesAt(share.at('f')), {})
    assert.deepEqual(attributesAt(share.at('.shoal/staging')), {})
  } finally {
    outer.remove()
  }
})

dressed('a directory that somebody puts there at the last moment is not replaced', (share) => {
  const job: CommitJob = {
    ...{ type: 'mkdir', path: path('d'), mode: 0o755, expect: { type: 'absent' } },
    dress: { uid: ALICE },
  }
  const step = (name: string): void => {
    if (name === 'made') share.write('d/precious', 'x')
  }
  assert.equal(share.commitOne(job, { step }).status, 'changed')
  assert.equal(share.read('d/precious'), 'x')
  assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
})

dressed('a symlink gets its owner, and what it points at keeps its own', (share) => {
  share.write('target', 'x')
  const dress = { uid: ALICE, gid: STAFF }
  const expect = { type: 'absent' } as const
  const job: CommitJob = {
    type: 'symlink',
    path: path('l'),
    target: 'target',
    mtimeUs: TIME_US,
    expect,
    dress,
  }
  assert.deepEqual(done(share.commitOne(job)).stat, share.stat('l'))
  assert.deepEqual(
    [owner(share, 'l'), owner(share, 'target')],
    [
      [ALICE, STAFF],
      [0, 0],
    ],
  )
  const again: CommitJob = {
    ...{ type: 'metadata', path: path('l'), mtimeUs: TIME_US + 1, expect: share.expect('l') },
    dress: { uid: 7, gid: 8 },
  }
  assert.deepEqual(done(share.commitOne(again)).stat, share.stat('l'))
  assert.deepEqual(
    [owner(share, 'l'), owner(share, 'target')],
    [
      [7, 8],
      [0, 0],
    ],
  )
  assert.equal(share.stat('l').mtimeMs, (TIME_US + 1) / 1000)
})

dressed(
  'metadata alone: owner, attributes, all twelve bits and the time, of files and directories',
  (share) => {
    share.write('f', 'content')
    fs.mkdirSync(share.at('d'))
    setAttribute(share.at('f'), 'user.gone', 'x')
    setAttribute(share.at('f'), 'trusted.kept', 'x')
    const { ino } = share.stat('f')
    for (const [name, mode] of [
      ['f', 0o7640],
      ['d', 0o7750],
    ] as const) {
      const job: CommitJob = {
        ...{ type: 'metadata', path: path(name), mode, mtimeUs: TIME_US, expect: share.expect(name) },
        dress: name === 'f' ? DRESS : { uid: ALICE, gid: STAFF, attributes: packed({ 'user.a': 'one' }) },
      }
      const { stat, shown } = done(share.commitOne(job))
      assert.deepEqual(stat, share.stat(name))
      assert.equal(shown, undefined)
      assert.deepEqual(
        [owner(share, name), stat!.mode, stat!.mtimeMs],
        [[ALICE, STAFF], mode, TIME_US / 1000],
      )
    }
    assert.equal(share.stat('f').ino, ino)
    assert.deepEqual(attributesAt(share.at('f')), WORN)
    // Out of the scope: left alone.
    setAttribute(share.at('f'), 'trusted.kept', 'x')
    const end: CommitJob = {
      type: 'directory',
      path: path('d'),
      mtimeUs: 5_000_000,
      dress: { uid: 1, attributes: packed({}) },
    }
    assert.deepEqual(done(share.commitOne(end)).stat, share.stat('d'))
    assert.deepEqual(
      [owner(share, 'd'), share.stat('d').mode, share.stat('d').mtimeMs],
      [[1, STAFF], 0o7750, 5000],
    )
    assert.deepEqual(attributesAt(share.at('d')), {})
  },
)

dressed(
  'A3: a directory with other attributes than the index knows keeps them: its stat does not tell',
  (share) => {
    fs.mkdirSync(share.at('d'))
    setAttribute(share.at('d'), 'user.a', 'known')
    const expect = share.expect('d')
    const expectShown = packShown([['user.a', Buffer.from('known')]], ALL)!
    const change = {
      type: 'metadata',
      path: path('d'),
      mode: 0o700,
      mtimeUs: TIME_US,
      expect,
      expectShown,
    } as const
    const job: CommitJob = { ...change, dress: { attributes: packed({ 'user.a': 'new' }) } }
    setAttribute(share.at('d'), 'user.a', "a user's")
    assert.deepEqual(share.commitOne(job), { status: 'changed' })
    assert.deepEqual(attributesAt(share.at('d')), { 'user.a': "a user's" })
    setAttribute(share.at('d'), 'user.a', 'known')
    done(share.commitOne(job))
    assert.deepEqual(attributesAt(share.at('d')), { 'user.a': 'new' })
  },
)

dressed('a directory whose time was put back says what attributes it shows by then', (share) => {
  fs.mkdirSync(share.at('d'))
  setAttribute(share.at('d'), 'user.a', 'one')
  const { shown } = done(share.commitOne({ type: 'directory', path: path('d'), mtimeUs: TIME_US }))
  assert.deepEqual(shown, { undressed: [], attributes: packed({ 'user.a': 'one' }) })
})

dressed('attributes out of the scope are neither set nor removed', (share) => {
  share.write('f', 'content')
  setAttribute(share.at('f'), 'user.local', 'x')
  share.scope = { acls: false, xattrs: ['user.shared.*'] }
  const dress = { attributes: packed({ 'user.shared.a': 'one', 'user.other': 'no', [ACL_ACCESS]: ACL_640 }) }
  const job: CommitJob = {
    type: 'metadata',
    path: path('f'),
    mtimeUs: TIME_US,
    expect: share.expect('f'),
    dress,
  }
  const { stat, shown } = done(share.commitOne(job))
  assert.deepEqual(stat, share.stat('f'))
  assert.equal(shown, undefined)
  assert.deepEqual(attributesAt(share.at('f')), { 'user.local': 'x', 'user.shared.a': 'one' })
})

dressed('an ACL that says no more than the mode is shown as what the kernel made of it', (share) => {
  share.write('f', 'content')
  const plain = Buffer.concat([
    Buffer.from('02000000', 'hex'),
    ...[
      [1, 6],
      [4, 4],
      [0x20, 0],
    ].map(([tag, permission]) => {
      const entry = Buffer.alloc(8, 0xff)
      entry.writeUInt16LE(tag!, 0)
      entry.writeUInt16LE(permission!, 2)
      return entry
    }),
  ])
  const dress = { attributes: packed({ [ACL_ACCESS]: plain }) }
  const job: CommitJob = {
    type: 'metadata',
    path: path('f'),
    mode: 0o640,
    mtimeUs: TIME_US,
    expect: share.expect('f'),
    dress,
  }
  const { shown, stat } = done(share.commitOne(job))
  assert.deepEqual(stat, share.stat('f'))
  assert.deepEqual(shown, { undressed: [], attributes: Buffer.alloc(0) })
})
