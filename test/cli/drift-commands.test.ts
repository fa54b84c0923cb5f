// shoal drift as a person sees it, on a control API whose answers the tests set.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { drift, FakeBackend, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

let folder: string
let one: string
let two: string
let backend: FakeBackend
let server: ControlServer
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-drift-'))
  const secret = (seed: number): string => formatSecret(writeSecretOf(Buffer.alloc(32, seed)))
  const write = (name: string, dirs: readonly string[]): string => {
    const shares = dirs.map((dir, i) => ({ secret: secret(i + 1), dir: join(folder, dir) }))
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify({ storage_path: 'store', shared_folders: shares }), { mode: 0o600 })
    return file
  }
  one = write('one.conf', ['a'])
  two = write('two.conf', ['a', 'b'])
})
beforeEach(async () => {
  backend = new FakeBackend()
  rmSync(join(folder, 'store'), { recursive: true, force: true })
  mkdirSync(join(folder, 'store'))
  server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
})
afterEach(() => server.close())
after(() => rmSync(folder, { recursive: true }))

const acknowledgement = {
  reason: 'the nightly job',
  since: '2026-11-20T18:02:03.000Z',
  until: '2026-12-20T18:02:03.000Z',
}
const inA = (changes: Parameters<typeof drift>[0]): ReturnType<typeof drift> =>
  drift({ dir: join(folder, 'a'), ...changes })
const inB = (changes: Parameters<typeof drift>[0]): ReturnType<typeof drift> =>
  drift({ dir: join(folder, 'b'), ...changes })

describe('shoal drift', () => {
  it('says nothing of nothing', async () => {
    assert.deepEqual(await shoal(['drift', one]), { exit: 0, out: 'no drift\n', err: '' })
    assert.deepEqual(await shoal(['drift', one, '--json']), { exit: 0, out: '[]\n', err: '' })
  })

  it('lists what is open, what is put back, and apart from them what is acknowledged', async () => {
    backend.driftList = [
      inA({
        path: 'etc/motd',
        kinds: ['content', 'mode'],
        policy: 'restore',
        restores: 12,
        nextRestore: '2026-11-20T18:30:00.123Z',
      }),
      inA({ path: 'new', kind: 'added', kinds: ['extra'] }),
      inA({ path: 'meant', kind: 'deleted', kinds: ['missing'], acknowledgement }),
      inB({ path: 'x\u001b[2J', kind: 'changed', kinds: [], since: null }),
    ]
    const { exit, out } = await shoal(['drift', two])
    assert.equal(exit, 1)
    assert.equal(
      out.replaceAll(folder, ''),
      `/a
  WHAT           SINCE                 PATH      PUT BACK
  content, mode  2026-11-20T18:02:03Z  etc/motd  12 times, next at 2026-11-20T18:30:00Z
  extra          2026-11-20T18:02:03Z  new       -

  ACKNOWLEDGED  SINCE                 UNTIL                 PATH   REASON
  missing       2026-11-20T18:02:03Z  2026-12-20T18:02:03Z  meant  the nightly job

/b
  WHAT     SINCE  PATH
  changed  -      x\\u{1b}[2J
`,
    )
    const json = await shoal(['drift', two, '--json'])
    assert.equal(json.exit, 1)
    assert.deepEqual(JSON.parse(json.out), backend.driftList)
  })

  it('exits with 0 when all of it is acknowledged, or none is at the paths asked for', async () => {
    backend.driftList = [inA({ path: 'd/meant', acknowledgement }), inA({ path: 'e/open' })]
    assert.equal((await shoal(['drift', one, 'd'])).exit, 0)
    assert.equal((await shoal(['drift', one, './e/'])).exit, 1)
    assert.equal((await shoal(['drift', one, join(folder, 'a/e/open')])).exit, 1)
    assert.equal((await shoal(['drift', one, 'd', 'e'])).exit, 1)
    assert.equal((await shoal(['drift', one, 'ope'])).out, 'no drift\n')
    assert.equal((await shoal(['drift', one, '.'])).exit, 1)
  })

  it('paths are those of the folder that has drift there, or whole', async () => {
    backend.driftList = [inA({ path: 'both' }), inB({ path: 'both' }), inB({ path: 'b-only' })]
    assert.equal((await shoal(['drift', two, 'b-only'])).exit, 1)
    const both = await shoal(['drift', two, 'both'])
    assert.deepEqual(
      [both.exit, both.err.split('\n')[0]],
      [64, 'several folders have drift at both: name its whole path'],
    )
    assert.equal((await shoal(['drift', two, join(folder, 'b/both'), '--json'])).exit, 1)
    assert.equal((await shoal(['drift', two, 'nowhere'])).exit, 66)
    assert.equal((await shoal(['drift', two, '/elsewhere/x'])).exit, 66)
  })

  it('a failure keeps its exit code, which none of the answers has', async () => {
    await server.close()
    assert.equal((await shoal(['drift', one])).exit, 69)
  })
})

describe('shoal drift acknowledge', () => {
  it('says of each path until when, by its place in the configuration', async () => {
    backend.driftList = [inB({ path: 'etc/motd' })]
    const { exit, out, err } = await shoal([
      ...['drift', 'acknowledge', two, 'etc/motd', join(folder, 'a/x')],
      ...['--reason', 'the nightly job', '--expires', '12h'],
    ])
    assert.deepEqual([exit, err], [0, ''])
    assert.equal(
      out,
      'etc/motd is acknowledged until 2026-11-21T06:02:03Z\nx is acknowledged until 2026-11-21T06:02:03Z\n',
    )
    assert.deepEqual(backend.calls, [
      'acknowledge 1 etc/motd 43200000 the nightly job',
      'acknowledge 0 x 43200000 the nightly job',
    ])
  })

  it('holds for 30 days unless told, and is withdrawn', async () => {
    const said = await shoal(['drift', 'acknowledge', one, 'f', '--reason', 'r', '--json'])
    assert.equal(JSON.parse(said.out)[0].acknowledgement.until, '2026-12-20T18:02:03.000Z')
    assert.equal((await shoal(['drift', 'acknowledge', one, 'f', '--withdraw'])).out, 'f is drift again\n')
    assert.deepEqual(backend.calls.slice(-1), ['withdraw 0 f'])
  })

  it('wants a reason, and a time that is one', async () => {
    const bare = await shoal(['drift', 'acknowledge', one, 'f'])
    assert.deepEqual([bare.exit, /needs --reason/.test(bare.err)], [64, true])
    assert.equal(
      (await shoal(['drift', 'acknowledge', one, 'f', '--reason', 'r', '--expires', 'soon'])).exit,
      64,
    )
    const atOnce = await shoal(['drift', 'acknowledge', one, 'f', '--reason', 'r', '--expires', '0d'])
    assert.equal(atOnce.exit, 64)
    assert.match(atOnce.err, /'0d' is invalid. expected a time such as/)
    const both = await shoal(['drift', 'acknowledge', one, 'f', '--reason', 'r', '--withdraw'])
    assert.equal(both.exit, 64)
    assert.match(both.err, /cannot be used with/)
    assert.equal((await shoal(['drift', 'acknowledge', one])).exit, 64)
    assert.deepEqual(backend.calls, [])
  })

  it('tells what the daemon says', async () => {
    backend.work = () => Promise.reject(new ShoalError('NOT_FOUND', 'there is no drift at f'))
    const { exit, err } = await shoal(['drift', 'acknowledge', one, 'f', '--reason', 'r'])
    assert.deepEqual([exit, err], [66, 'there is no drift at f\n'])
  })
})

describe('shoal drift --archive-extra', () => {
  it('says what went where, and what was left', async () => {
    backend.driftList = [inA({ path: 'new', kind: 'added' }), inB({ path: 'd/x', kind: 'added' })]
    backend.extraReport = {
      moved: [
        { dir: join(folder, 'a'), path: 'd/x', to: '.shoal/archive/2026-11-20/d/x' },
        { dir: join(folder, 'a'), path: 'd', to: null },
      ],
      left: [],
    }
    assert.deepEqual(await shoal(['drift', one, '--archive-extra']), {
      exit: 0,
      out: 'd/x -> .shoal/archive/2026-11-20/d/x\nd: removed, it was empty\n',
      err: '',
    })
    backend.extraReport = {
      moved: [],
      left: [{ dir: join(folder, 'a'), path: 'new', code: 'CHANGED', detail: 'it was changed meanwhile' }],
    }
    const left = await shoal(['drift', '--archive-extra', two, 'new', join(folder, 'b/d')])
    assert.equal(left.exit, 1)
    assert.match(left.out, /^new: left, it was changed meanwhile \(CHANGED\)$/m)
    assert.deepEqual(backend.calls, [
      'archive-extra undefined undefined',
      'archive-extra 0 new',
      'archive-extra 1 d',
    ])
  })

  it('moves nothing that is not extra', async () => {
    backend.driftList = [inA({ path: 'changed' })]
    const { exit, err } = await shoal(['drift', one, 'changed', '--archive-extra'])
    assert.deepEqual([exit, err], [66, 'there is no extra file at changed\n'])
    assert.deepEqual(backend.calls, [])
    assert.equal((await shoal(['drift', one, '--archive-extra'])).out, 'no extra files\n')
  })
})

describe('shoal status of a reader', () => {
  it('counts what is acknowledged apart, and says what was put back, what waits, and what newer versions replaced', async () => {
    const driftDetail = {
      ...{ acknowledged: 2, restored: 12, replaced: 1, waiting: 1 },
      nextRestore: '2026-11-20T18:30:00.123Z',
    }
    backend.statuses = [status(share({ grade: 'read', drift: 3, driftDetail, members: [] }))]
    const { out } = await shoal(['status', one])
    assert.match(out, /^ {2}drift {6}3, and 2 acknowledged$/m)
    assert.match(out, /^ {2}put back {3}12 times; 1 path held back, the next at 2026-11-20T18:30:00Z$/m)
    assert.match(out, /^ {2}replaced {3}1 local change, by newer versions$/m)
    const waited = await shoal(['status', one, '--wait', '--timeout', '0'])
    assert.equal(waited.exit, 2)
    assert.match(
      waited.out,
      /behind: this device, with 3 changes of its own \(shoal drift\), this device, with 2 acknowledged changes of its own\n$/,
    )
  })
})
