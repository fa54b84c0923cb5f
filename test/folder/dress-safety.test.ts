// What a user does meanwhile, what cannot be set, and what nobody must ever get by it (A1, A3).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { mock, test } from 'node:test'
import { ACL_ACCESS } from '../../src/core/raw-attributes.js'
import { mtimeUsOf } from '../../src/core/stat.js'
import type { BatchProbe } from '../../src/folder/commit.js'
import type { CommitJob } from '../../src/folder/commit-job.js'
import { cleanStaging } from '../../src/folder/marker.js'
import { FolderPool } from '../../src/folder/pool.js'
import type { StageFileJob } from '../../src/folder/stage-job.js'
import { mounted } from '../support/mounts.js'
import {
  ALL,
  acl,
  attributesAt,
  NEEDS_ATTRIBUTES,
  NOBODY,
  packed,
  setAttribute,
  unpacked,
} from './attribute-kit.js'
import { atEveryCall, KEYS, path, Share, token } from './commit-kit.js'
import {
  ACL_640,
  ALICE,
  DRESS,
  done,
  dressed,
  owner,
  STAFF,
  stageFile,
  TIME_US,
  unprivileged,
  WORN,
} from './dress-kit.js'

dressed('A3: a write while it is dressed is not hidden, and everything is put back', (share) => {
  share.write('f', 'content')
  fs.chmodSync(share.at('f'), 0o4711)
  setAttribute(share.at('f'), 'user.old', 'x')
  const step = (name: string): void => {
    if (name === 'dressing') fs.appendFileSync(share.at('f'), ' precious')
  }
  const expect = share.expect('f')
  const job: CommitJob = {
    type: 'metadata',
    path: path('f'),
    mode: 0o600,
    mtimeUs: TIME_US,
    expect,
    dress: DRESS,
  }
  assert.equal(share.commitOne(job, { step }).status, 'changed')
  assert.equal(share.read('f'), 'content precious')
  assert.deepEqual([owner(share, 'f'), share.stat('f').mode], [[0, 0], 0o4711])
  assert.deepEqual(attributesAt(share.at('f')), { 'user.old': 'x' })
  assert.notEqual(share.stat('f').mtimeMs, TIME_US / 1000)
})

dressed('A3: a directory that a user works in while it is dressed is never left half dressed', (share) => {
  const meddlers: Readonly<Record<string, () => string>> = {
    'makes a file in it': () => {
      share.write('d/new', 'precious')
      return 'd'
    },
    'gives it another name': () => {
      fs.renameSync(share.at('d'), share.at('e'))
      return 'e'
    },
  }
  for (const [what, meddle] of Object.entries(meddlers)) {
    fs.mkdirSync(share.at('d'))
    let name = 'd'
    const step = (now: string): void => {
      if (now === 'dressing') name = meddle()
    }
    const job: CommitJob = {
      type: 'metadata',
      path: path('d'),
      mode: 0o750,
      mtimeUs: TIME_US,
      expect: share.expect('d'),
      dress: { uid: ALICE, gid: STAFF, attributes: packed({ 'user.a': 'one' }) },
    }
    const { stat } = done(share.commitOne(job, { step }))
    // Else who set that could not be told any more, and it would be announced as the user's doing.
    assert.deepEqual([owner(share, name), share.stat(name).mode], [[ALICE, STAFF], 0o750], what)
    assert.deepEqual(attributesAt(share.at(name)), { 'user.a': 'one' }, what)
    assert.equal(stat === undefined, name !== 'd', what)
    fs.rmSync(share.at(name), { recursive: true })
  }
})

dressed('A3: a change of owner or ACL by the user is never reported as ours', (share) => {
  const meddlers: Record<string, (name: string) => void> = {
    chown: (name) => fs.chownSync(share.at(name), 55, 66),
    chmod: (name) => fs.chmodSync(share.at(name), 0o606),
    setfacl: (name) => setAttribute(share.at(name), ACL_ACCESS, acl(0o640, 'user', 4711, 4)),
    setfattr: (name) => setAttribute(share.at(name), 'user.users', 'x'),
  }
  let round = 0
  for (const [what, meddle] of Object.entries(meddlers)) {
    const made = `made${round}`
    const moments: Record<string, string> = { linked: made, placed: made }
    for (const [moment, name] of Object.entries(moments)) {
      const step = (now: string): void => {
        if (now === moment) meddle(name)
      }
      const result = done(share.commitOne(share.fileJob(name, 'new', { dress: DRESS }), { step }))
      assert.equal(result.stat, undefined, `${what} at "${moment}"`)
      fs.unlinkSync(share.at(name))
    }
    round++
  }
})

dressed('A1: nothing that takes the name meanwhile is ever touched', () => {
  const victims = new Share()
  try {
    victims.write('victim', 'secret')
    fs.mkdirSync(victims.at('dir'))
    const before = JSON.stringify([victims.stat('victim'), victims.stat('dir')])
    const kinds: Record<string, (at: Share) => { name: string; job: CommitJob; aim: string }> = {
      file: (at) => ({ name: 'd/f', job: at.fileJob('d/f', 'new', { dress: DRESS }), aim: 'victim' }),
      replaced: (at) => {
        at.write('d/f', 'old')
        return { name: 'd/f', job: at.fileJob('d/f', 'new', { dress: DRESS }), aim: 'victim' }
      },
      metadata: (at) => {
        at.write('d/f', 'old')
        const job: CommitJob = {
          type: 'metadata',
          path: path('d/f'),
          mode: 0o666,
          mtimeUs: 1,
          expect: at.expect('d/f'),
          dress: DRESS,
        }
        return { name: 'd/f', job, aim: 'victim' }
      },
      directory: (at) => {
        fs.mkdirSync(at.at('d/sub'))
        const job: CommitJob = {
          type: 'directory',
          path: path('d/sub'),
          mode: 0o777,
          mtimeUs: 1,
          dress: { uid: ALICE, attributes: packed({ 'user.a': 'x' }) },
        }
        return { name: 'd/sub', job, aim: 'dir' }
      },
      mkdir: () => {
        const job: CommitJob = {
          type: 'mkdir',
          path: path('d/sub'),
          mode: 0o777,
          expect: { type: 'absent' },
          dress: { uid: ALICE, attributes: packed({ 'user.a': 'x' }) },
        }
        return { name: 'd/sub', job, aim: 'dir' }
      },
      symlink: () => {
        const job: CommitJob = {
          type: 'symlink',
          path: path('d/l'),
          target: '/etc',
          mtimeUs: 1,
          expect: { type: 'absent' },
          dress: { uid: ALICE },
        }
        return { name: 'd/l', job, aim: 'victim' }
      },
    }
    for (const [kind, prepare] of Object.entries(kinds)) {
      let points = Number.POSITIVE_INFINITY
      for (let moment = 0; moment < points; moment++) {
        const at = new Share()
        at.scope = ALL
        try {
          fs.mkdirSync(at.at('d'))
          const { name, job, aim } = prepare(at)
          points = atEveryCall(
            (point) => {
              if (point !== moment) return
              fs.rmSync(at.at(name), { recursive: true, force: true })
              fs.symlinkSync(victims.at(aim), at.at(name))
            },
            (step) => at.commitOne(job, { step }),
          )
          const now = JSON.stringify([victims.stat('victim'), victims.stat('dir')])
          assert.equal(now, before, `${kind} at ${moment}`)
        } finally {
          at.remove()
        }
      }
      assert.ok(points > 5, kind)
    }
  } finally {
    victims.remove()
  }
})

dressed('at no moment has anybody more rights than before or after', (share) => {
  const seen = new Set<string>()
  fs.writeFileSync(share.at('f'), 'secret', { mode: 0o644 })
  fs.chmodSync(share.at('f'), 0o644)
  // Alice's for nobody else to read, from root's for all to read; the ACL opens it for one more.
  const wanted = acl(0o640, 'user', 777, 6)
  const job: CommitJob = {
    ...{ type: 'metadata', path: path('f'), mode: 0o640, mtimeUs: TIME_US, expect: share.expect('f') },
    dress: { uid: ALICE, gid: STAFF, attributes: packed({ [ACL_ACCESS]: wanted }) },
  }
  atEveryCall(
    () => {
      const { uid, mode } = share.stat('f')
      seen.add(`${uid} ${(mode & 0o777).toString(8)}`)
    },
    (step) => done(share.commitOne(job, { step })),
  )
  for (const state of seen) {
    const [uid, mode] = state.split(' ')
    if (uid === String(ALICE)) assert.equal(Number.parseInt(mode!, 8) & ~0o640, 0, [...seen].join(', '))
  }
  assert.ok(seen.has(`${ALICE} 640`))
})

unprivileged('a file whose owner could not be set gets no set-user-id and no set-group-id', (share) => {
  const result = done(share.commitOne(share.fileJob('f', 'new', { mode: 0o6755, dress: { uid: 0, gid: 0 } })))
  assert.deepEqual(result.shown, {
    undressed: [
      { what: 'owner', code: 'EPERM' },
      { what: 'group', code: 'EPERM' },
    ],
    attributes: Buffer.alloc(0),
  })
  assert.deepEqual(result.stat, share.stat('f'))
  assert.equal(share.stat('f').mode, 0o755)
  const staged = stageFile(share, { mode: 0o6755, mtimeUs: TIME_US, dress: { uid: ALICE } })
  assert.equal(staged.stat.mode, 0o755)
  assert.deepEqual(staged.shown?.undressed, [{ what: 'owner', code: 'EPERM' }])
  fs.chmodSync(share.at('f'), 0o4755)
  const expect = share.expect('f')
  const job: CommitJob = {
    type: 'metadata',
    path: path('f'),
    mode: 0o4711,
    mtimeUs: 1,
    expect,
    dress: { uid: 0 },
  }
  assert.equal(done(share.commitOne(job)).stat?.mode, 0o711)
  const own: CommitJob = { ...job, expect: share.expect('f'), dress: { uid: NOBODY, gid: NOBODY } }
  assert.equal(done(share.commitOne(own)).stat?.mode, 0o4711)
})

unprivileged('a symlink whose owner could not be set is there all the same', (share) => {
  const expect = { type: 'absent' } as const
  const job: CommitJob = {
    type: 'symlink',
    path: path('l'),
    target: 'nowhere',
    mtimeUs: 1,
    expect,
    dress: { uid: 0 },
  }
  const { shown, stat } = done(share.commitOne(job))
  assert.deepEqual(shown, { undressed: [{ what: 'owner', code: 'EPERM' }], attributes: undefined })
  assert.deepEqual(stat, share.stat('l'))
})

unprivileged(
  'what an owner may set without root is set: the mode, ACLs, attributes, of files that are read-only, too',
  (share) => {
    const dress = { uid: 0, attributes: packed({ [ACL_ACCESS]: ACL_640, 'user.a': 'one' }) }
    const result = done(share.commitOne(share.fileJob('f', 'new', { mode: 0o640, dress })))
    assert.deepEqual(unpacked(result.shown?.attributes), WORN)
    assert.deepEqual(attributesAt(share.at('f')), WORN)
    fs.chmodSync(share.at('f'), 0o040)
    const job: CommitJob = {
      type: 'metadata',
      path: path('f'),
      mode: 0o440,
      mtimeUs: 1,
      expect: share.expect('f'),
      dress: { attributes: packed({ 'user.b': 'two' }) },
    }
    assert.equal(done(share.commitOne(job)).shown, undefined)
    assert.deepEqual([attributesAt(share.at('f')), share.stat('f').mode], [{ 'user.b': 'two' }, 0o440])
  },
)

dressed('capabilities are for the owner that they were meant for', (share) => {
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex')
  share.scope = { acls: false, xattrs: ['security.capability'] }
  const attributes = packed({ 'security.capability': capability })
  const chowns = mock.method(fs, 'fchownSync', () => {
    throw Object.assign(new Error('EPERM'), { code: 'EPERM' })
  })
  const { shown } = done(share.commitOne(share.fileJob('f', 'new', { dress: { uid: ALICE, attributes } })))
  assert.ok(chowns.mock.callCount() > 0)
  assert.deepEqual(shown?.undressed, [
    { what: 'owner', code: 'EPERM' },
    { what: 'xattr', code: 'EPERM', name: 'security.capability' },
  ])
  assert.deepEqual(shown.attributes, Buffer.alloc(0))
})

dressed('a file system that says yes to an owner and does nothing is found out', (share) => {
  mock.method(fs, 'fchownSync', () => undefined)
  const { shown, stat } = done(
    share.commitOne(share.fileJob('f', 'new', { mode: 0o4755, dress: { uid: ALICE } })),
  )
  assert.deepEqual(shown?.undressed, [{ what: 'owner', code: 'ENOTSUP' }])
  assert.equal(stat?.mode, 0o755)
})

test('dresses cross threads, to staging and to commits', { skip: NEEDS_ATTRIBUTES }, async () => {
  const share = new Share()
  const pool = new FolderPool({ threads: 1 })
  try {
    const attributes = packed({ 'user.a': 'one', [ACL_ACCESS]: ACL_640 })
    const about = { acls: false, xattrs: true }
    const file = { type: 'file', token: token(1), size: 0, mode: 0o640, mtimeUs: TIME_US } as const
    const dress = { attributes, about }
    const job: StageFileJob = { ...file, begin: true, final: true, parts: [], dress }
    const [result] = await pool.stage(share.root, KEYS, [job], undefined, ALL)
    assert.deepEqual(attributesAt(share.at(`.shoal/staging/${token(1)}`)), { 'user.a': 'one' })
    const options = { archive: true, atMs: 0, scope: ALL }
    const expect = { type: 'absent' } as const
    const staged = result!.staged!
    const [committed] = await pool.commit(
      share.root,
      [{ ...file, path: path('f'), dress, staged, expect }],
      options,
    )
    assert.deepEqual(done(committed!).stat, share.stat('f'))
    const again: CommitJob = {
      ...{ type: 'metadata', path: path('f'), mtimeUs: TIME_US, expect: share.expect('f') },
      dress: { attributes: packed({ 'user.b': 'two' }) },
    }
    assert.equal(done((await pool.commit(share.root, [again], options))[0]!).shown, undefined)
    assert.deepEqual(attributesAt(share.at('f')), { 'user.b': 'two' })
  } finally {
    await pool.close()
    share.remove()
  }
})

test('a file system without ACLs: the mode is the one without, and all of it is said', (context) => {
  const disk = mounted('ramfs')
  if (typeof disk === 'string') return context.skip(disk)
  try {
    const share = new Share(disk.directory)
    share.scope = ALL
    const probe: BatchProbe = {}
    const { shown, stat } = done(
      share.commitOne(share.fileJob('f', 'new', { mode: 0o660, dress: DRESS }), probe),
    )
    assert.deepEqual(shown, {
      undressed: [
        { what: 'xattr', code: 'ENOTSUP', name: 'user.a' },
        { what: 'acl', code: 'ENOTSUP' },
      ],
      attributes: undefined,
    })
    assert.deepEqual([owner(share, 'f'), stat!.mode], [[ALICE, STAFF], 0o600])
    assert.deepEqual(stat, share.stat('f'))
    const none = { uid: 1, gid: 1, attributes: packed({}), modeWithoutAcl: 0o600 }
    const job: CommitJob = {
      type: 'metadata',
      path: path('f'),
      mode: 0o660,
      mtimeUs: 1,
      expect: share.expect('f'),
      dress: none,
    }
    assert.equal(done(share.commitOne(job)).shown, undefined)
    assert.equal(share.stat('f').mode, 0o660)
  } finally {
    disk.remove()
  }
})

dressed('an attribute that finds no room is said, and the file is there', (share, context) => {
  const large = Buffer.alloc(60_000, 'x')
  share.write('probe', '')
  try {
    setAttribute(share.at('probe'), 'user.large', large)
    return context.skip('this file system has room for large attributes')
  } catch {
    // As wanted.
  }
  const attributes = packed({ 'user.large': large, 'user.small': 's' })
  const { shown, stat } = done(share.commitOne(share.fileJob('f', 'new', { dress: { attributes } })))
  assert.deepEqual(shown?.undressed, [{ what: 'xattr', code: 'ENOSPC', name: 'user.large' }])
  assert.deepEqual(unpacked(shown.attributes), { 'user.small': 's' })
  assert.deepEqual(stat, share.stat('f'))
})

dressed('an immutable file fails and stays as it is', (share, context) => {
  share.write('f', 'content')
  const { status } = spawnSync('chattr', ['+i', share.at('f')])
  if (status !== 0) return context.skip('no immutable files here')
  try {
    const before = share.stat('f')
    const job: CommitJob = {
      type: 'metadata',
      path: path('f'),
      mode: 0o600,
      mtimeUs: TIME_US,
      expect: share.expect('f'),
      dress: DRESS,
    }
    const result = share.commitOne(job)
    assert.deepEqual([result.status, 'code' in result && result.code], ['failed', 'EPERM'])
    assert.deepEqual(share.stat('f'), before)
  } finally {
    spawnSync('chattr', ['-i', share.at('f')])
  }
})

dressed('a copy into the archive keeps owner, attributes, mode and time', (share) => {
  share.write('f', 'old')
  fs.chownSync(share.at('f'), ALICE, STAFF)
  setAttribute(share.at('f'), 'user.a', 'one')
  setAttribute(share.at('f'), ACL_ACCESS, ACL_640)
  fs.chmodSync(share.at('f'), 0o4640)
  const before = share.stat('f')
  const without = ['link', 'exchange'] as const
  const { archived } = done(share.commitOne(share.fileJob('f', 'new', { dress: {} }), { without }))
  const kept = share.stat(`.shoal/archive/${archived}`)
  assert.deepEqual(
    [kept.uid, kept.gid, kept.mode, mtimeUsOf(kept)],
    [ALICE, STAFF, 0o4640, mtimeUsOf(before)],
  )
  assert.notEqual(kept.ino, before.ino)
  assert.deepEqual(attributesAt(share.at(`.shoal/archive/${archived}`)), WORN)
  fs.symlinkSync('x', share.at('l'))
  fs.lchownSync(share.at('l'), ALICE, STAFF)
  const job: CommitJob = {
    type: 'symlink',
    path: path('l'),
    target: 'y',
    mtimeUs: 1,
    expect: share.expect('l'),
  }
  const link = done(share.commitOne(job, { without })).archived
  assert.deepEqual(owner(share, `.shoal/archive/${link}`), [ALICE, STAFF])
})

dressed('a directory that a crash left on its way is cleaned up', (share) => {
  fs.mkdirSync(share.at('.shoal/staging/dir-1-0-0'))
  const { removed, faults } = cleanStaging({ root: share.root, keepTokens: [] })
  assert.deepEqual([removed, faults], [1, []])
  assert.deepEqual(fs.readdirSync(share.at('.shoal/staging')), [])
})
