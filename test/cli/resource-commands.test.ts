import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { conflict, FakeBackend, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

const DIR = '/data/photos'
const COPY = 'a.conflict-20261120-180203-phone'

let folder: string
let config: string
let backend: FakeBackend
let server: ControlServer

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
  config = join(folder, 'shoal.conf')
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
  writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: [{ secret, dir: 'a' }] }))
})
beforeEach(async () => {
  backend = new FakeBackend()
  backend.statuses = [status(share({ dir: DIR }), share({ dir: '/data/notes' }))]
  backend.conflictList = [
    conflict({ dir: DIR }),
    conflict({ dir: '/data/notes', share: 1, path: 'b', copy: 'b.conflict-20261120-180203-nas' }),
  ]
  rmSync(join(folder, 'store'), { recursive: true, force: true })
  mkdirSync(join(folder, 'store'))
  server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
})
afterEach(() => server.close())
after(() => rmSync(folder, { recursive: true }))

describe('shoal conflicts', () => {
  it('lists both versions of each, with who and when', async () => {
    const { exit, out } = await shoal(['conflicts', config])
    assert.equal(exit, 0)
    assert.equal(
      out,
      `/data/photos
         SIZE     CHANGED               BY      PATH
  this   12 B     2026-11-20T18:02:03Z  laptop  a
  other  1.5 KiB  2026-11-20T18:02:03Z  phone   a.conflict-20261120-180203-phone

/data/notes
         SIZE     CHANGED               BY      PATH
  this   12 B     2026-11-20T18:02:03Z  laptop  b
  other  1.5 KiB  2026-11-20T18:02:03Z  phone   b.conflict-20261120-180203-nas
`,
    )
    const json = await shoal(['conflicts', config, '--json'])
    assert.deepEqual(JSON.parse(json.out), backend.conflictList)
    const one = await shoal(['conflicts', config, 'b', '--json'])
    assert.deepEqual(JSON.parse(one.out), [backend.conflictList[1]])
    backend.conflictList = []
    assert.equal((await shoal(['conflicts', config])).out, 'no conflicts\n')
  })

  it('what stands nowhere, and what is no file', async () => {
    const link = { type: 'symlink' as const, size: 0, mode: null, target: 'x\u001b', name: null }
    backend.conflictList = [conflict({ kept: null, copyVersion: { ...conflict().kept!, ...link } })]
    const { out } = await shoal(['conflicts', config])
    assert.match(out, /\n {2}this +- +- +- +a\n {2}other +-> x\\u\{1b\} +2026-11-20T18:02:03Z +- /)
  })

  it('--keep ends those that are named, by path, copy or whole path, as they were listed', async () => {
    const words: [string, string, string][] = [
      ['this', 'a', `a stays; the other version is .shoal/archive/2026-11-20/${COPY}\n`],
      ['other', COPY, `a is what ${COPY} was; the other version is .shoal/archive/2026-11-20/a\n`],
      ['both', `${DIR}/a`, `${COPY} is a.kept now\n`],
    ]
    for (const [keep, path, says] of words) {
      const { exit, out } = await shoal(['conflicts', config, path, '--keep', keep])
      assert.deepEqual([exit, out], [0, says])
    }
    assert.deepEqual(
      backend.calls.filter((call) => call !== 'status'),
      words.map(([keep]) => `resolve 0 ${COPY} ${keep} 0123456789abcdef`),
    )
  })

  it('--keep --all ends all; what fails is told, and the rest is done: exit 1', async () => {
    let calls = 0
    backend.work = async () => {
      if (calls++ === 0) throw new ShoalError('CONFLICT', 'cannot resolve it: somebody changes it')
    }
    const { exit, out, err } = await shoal(['conflicts', config, '--keep', 'this', '--all', '--json'])
    assert.equal(exit, 1)
    assert.equal(err, 'cannot resolve it: somebody changes it\n')
    assert.deepEqual(
      (JSON.parse(out) as { path: string }[]).map(({ path }) => path),
      ['b'],
    )
  })

  it('--keep without saying what for does nothing, nor does a path without a conflict', async () => {
    const wrong: [string[], number, RegExp][] = [
      [['--keep', 'this'], 64, /needs the paths/],
      [['a', '--keep', 'this', '--all'], 64, /needs the paths/],
      [['--all'], 64, /goes with --keep/],
      [['--keep', 'mine', 'a'], 64, /mine/],
      [['c', '--keep', 'this'], 66, /there is nothing of c/],
      [[`${DIR}/c`, '--keep', 'this'], 66, /no conflict at/],
      [['/elsewhere/a', '--keep', 'this'], 66, /in no folder/],
    ]
    for (const [args, exit, says] of wrong) {
      const result = await shoal(['conflicts', config, ...args])
      assert.equal(result.exit, exit, args.join(' '))
      assert.match(result.err, says)
    }
    assert.deepEqual(
      backend.calls.filter((call) => call !== 'status'),
      [],
    )
  })
})

describe('shoal history', () => {
  it('prints the versions, newest first, and whether there may be more', async () => {
    const version = {
      ...{ type: 'file' as const, size: 1536, mtime: '2026-11-20T18:02:03.000Z', mode: 0o644, target: null },
      ...{ device: 'aa', name: 'laptop', when: '2026-11-20T18:02:04.000Z' },
    }
    backend.historyReport = {
      dir: DIR,
      path: 'a',
      isComplete: false,
      versions: [
        { ...version, where: 'live', isCurrent: true, archived: null },
        { ...version, type: 'deleted', where: 'none', isCurrent: false, archived: null },
        {
          ...{ ...version, device: null, name: null, when: null },
          ...{ where: 'archive', isCurrent: false, archived: '.shoal/archive/2026-11-20/a' },
        },
      ],
    }
    const { exit, out } = await shoal(['history', config, `${DIR}/a`, '--limit', '7'])
    assert.equal(exit, 0)
    assert.equal(
      out,
      `   PUBLISHED             BY      CHANGED               WHAT     CONTENT
*  2026-11-20T18:02:04Z  laptop  2026-11-20T18:02:03Z  1.5 KiB  here
   2026-11-20T18:02:04Z  laptop  -                     deleted  -
   -                     -       2026-11-20T18:02:03Z  1.5 KiB  .shoal/archive/2026-11-20/a
there may be older ones that nothing here has kept
`,
    )
    assert.deepEqual(backend.calls, ['status', 'history 0 a 7'])
    const json = await shoal(['history', config, `${DIR}/a`, '--json'])
    assert.deepEqual(JSON.parse(json.out), backend.historyReport)
    assert.equal((await shoal(['history', config, 'a'])).exit, 64)
    assert.equal((await shoal(['history', config, 'a', '--limit', '201'])).exit, 64)
    const early = await shoal(['history', config, `${DIR}/a`, '--at', '2026-11-20T18:02:03Z'])
    assert.deepEqual([early.exit, early.out], [66, ''])
    assert.match(early.err, /nothing of a had been published by then/)
  })
})

describe('shoal pause, resume, limits', () => {
  it('pauses and resumes all, or one folder', async () => {
    for (const word of ['pause', 'resume']) {
      assert.equal((await shoal([word, config])).exit, 0)
      assert.equal((await shoal([word, config, '/data/notes'])).exit, 0)
      assert.equal((await shoal([word, config, '/data/none'])).exit, 66)
    }
    assert.deepEqual(
      backend.calls.filter((call) => call !== 'status'),
      ['pause undefined', 'pause 1', 'resume undefined', 'resume 1'],
    )
  })

  it('a paused share is told as such, and nobody waits for it in vain: exit 2', async () => {
    const paused = share({ state: 'paused', pausedSince: '2026-11-20T18:02:03.000Z', members: [] })
    backend.statuses = [status(paused)]
    const { exit, out } = await shoal(['status', config, '--wait', '--timeout', '0'])
    assert.equal(exit, 2)
    assert.match(out, /\n {2}state +paused since 2026-11-20T18:02:03Z\n/)
    assert.match(out, /\nbehind: this device, which is paused \(shoal resume\)\n$/)
  })

  it('limits are in kB/s, as in the configuration', async () => {
    assert.equal(
      (await shoal(['limits', config])).out,
      'download       no limit\nupload         no limit\nlocal network  not limited (rate_limit_local_peers)\n',
    )
    const { exit, out, err } = await shoal(['limits', config, '--download', '300'])
    assert.equal(exit, 0)
    assert.match(out, /^download +300 KiB\/s\nupload +no limit\n/)
    assert.match(err, /^until the daemon restarts/)
    assert.deepEqual(JSON.parse((await shoal(['limits', config, '--upload', '0', '--json'])).out), {
      ...{ download: 307_200, upload: 0, holdLocally: false },
    })
    assert.deepEqual(backend.calls, ['limits 307200 undefined', 'limits undefined 0'])
    for (const rate of ['-1', '1.5', 'fast'])
      assert.equal((await shoal(['limits', config, '--upload', rate])).exit, 64)
  })
})
