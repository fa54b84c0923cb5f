import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { FolderReport } from '../../src/control/schema-folders.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { FAKE_INVITE, FakeBackend, invite, member, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

let folder: string
let config: string
let backend: FakeBackend
let server: ControlServer

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
  config = join(folder, 'shoal.conf')
  const secret = (seed: number): string => formatSecret(writeSecretOf(Buffer.alloc(32, seed)))
  const shares = [
    { secret: secret(1), dir: 'a' },
    { secret: secret(2), dir: 'b' },
  ]
  writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: shares }))
})
beforeEach(async () => {
  backend = new FakeBackend()
  rmSync(join(folder, 'store'), { recursive: true, force: true })
  mkdirSync(join(folder, 'store'))
  server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
})
afterEach(() => server.close())
after(() => rmSync(folder, { recursive: true }))

describe('shoal status', () => {
  it('prints aligned columns', async () => {
    const problems = [{ path: 'a\u001b[2J', code: 'EACCES', detail: 'permission denied', sinceMs: 0 }]
    backend.statuses = [
      status(
        share({
          problems,
          members: [
            member('nas', { grade: 'read', drift: 3 }),
            member('phone', { connected: false, address: null, transport: null }),
          ],
        }),
        share({
          dir: '/b',
          state: 'halted',
          haltReason: 'the marker is missing',
          needFiles: 1,
          needBytes: 5,
          members: [],
        }),
      ),
    ]
    const { exit, out, err } = await shoal(['status', config])
    assert.deepEqual([exit, err], [0, ''])
    assert.equal(
      out,
      `laptop (aaaaaaaaaaaaaaaa), shoal 0.1.0, process 4121

/data/photos
  grade      write
  state      idle
  content    12345 files, 1.2 GiB
  missing    nothing
  moved      0 B received, 1.0 KiB sent
  digest     dddddddddddddddd
  head       3f2a9c01:0102030405060708.17
  conflicts  0
  drift      0
  problems   1
    a\\u{1b}[2J  EACCES  permission denied
  MEMBER  DEVICE    GRADE  STATE        DRIFT  ADDRESS             LAST SEEN
  nas     6e617300  read   in sync      3      tcp 127.0.0.1:4444  2026-11-20T18:02:03Z
  phone   70686f6e  write  unreachable  0      -                   2026-11-20T18:02:03Z

/b
  grade      write
  state      halted: the marker is missing
  content    12345 files, 1.2 GiB
  missing    1 file, 5 B
  moved      0 B received, 1.0 KiB sent
  digest     dddddddddddddddd
  head       3f2a9c01:0102030405060708.17
  conflicts  0
  drift      0
  problems   0
  no other members
`,
    )
  })

  it('prints the report as JSON', async () => {
    const { exit, out } = await shoal(['status', config, '--json'])
    assert.equal(exit, 0)
    assert.deepEqual(JSON.parse(out), status(share()))
  })

  it('--wait asks all, and waits until all agree: exit 0', async () => {
    const behind = status(share({ members: [member('nas', { digestEqual: false })] }))
    const syncing = status(share({ state: 'syncing', members: [member('nas')] }))
    backend.statuses = [behind, syncing, status(share())]
    const { exit, out } = await shoal(['status', config, '--wait'])
    assert.equal(exit, 0)
    assert.match(out, /\n\nin sync\n$/)
    assert.deepEqual(backend.calls, ['ask', 'members', 'members', 'members', 'status'])
  })

  const verdicts: { name: string; report: ReturnType<typeof share>; exit: number; says: string }[] = [
    {
      name: 'a member that is behind: exit 2',
      report: share({
        members: [member('nas', { digestEqual: false }), member('phone', { connected: false })],
      }),
      exit: 2,
      says: 'behind: nas, phone (70686f6e) cannot be reached',
    },
    {
      name: 'an unreachable member, all others in sync: exit 3',
      report: share({ members: [member('nas'), member('phone', { connected: false, digestEqual: true })] }),
      exit: 3,
      says: 'unreachable: phone (70686f6e)',
    },
    {
      name: "a reader's own changes are named: exit 2",
      report: share({ grade: 'read', drift: 2, members: [member('nas', { digestEqual: false })] }),
      exit: 2,
      says: 'behind: this device, with 2 changes of its own (shoal drift), nas',
    },
    {
      name: 'this device is behind: exit 2',
      report: share({ needFiles: 1 }),
      exit: 2,
      says: 'behind: this device',
    },
    {
      name: 'a halted share: exit 2',
      report: share({ state: 'halted', haltReason: 'most of the tree is gone' }),
      exit: 2,
      says: 'halted: /data/photos: most of the tree is gone',
    },
    {
      name: 'a member that has expired is not waited for, and named: exit 0',
      report: share({ members: [member('nas'), member('phone', { connected: false, expired: true })] }),
      exit: 0,
      says: 'in sync\nnot counted: phone (70686f6e), not seen for peer_expiration_days',
    },
    {
      name: 'a member that has expired does not hide one that is only unreachable: exit 3',
      report: share({
        members: [member('nas', { connected: false }), member('phone', { connected: false, expired: true })],
      }),
      exit: 3,
      says: 'unreachable: nas (6e617300)\nnot counted: phone (70686f6e), not seen for peer_expiration_days',
    },
    {
      name: 'a member that is connected counts, whatever was said of it: exit 2',
      report: share({ members: [member('nas', { digestEqual: false, expired: true })] }),
      exit: 2,
      says: 'behind: nas',
    },
  ]
  for (const { name, report, exit, says } of verdicts)
    it(`--wait tells of ${name}`, async () => {
      backend.statuses = [status(report)]
      const human = await shoal(['status', config, '--wait', '--timeout', '0.1'])
      assert.equal(human.exit, exit)
      assert.ok(human.out.endsWith(`\n\n${says}\n`), human.out)
      const json = await shoal(['status', config, '--wait', '--timeout', '0', '--json'])
      assert.equal(json.exit, exit)
      assert.deepEqual(JSON.parse(json.out), {
        ...status(report),
        verdict: /^[a-z]+(?: sync)?/.exec(says)![0].replace(' ', '-'),
        because: JSON.parse(json.out).because,
      })
    })

  it('--wait does not wait on when a share is halted', async () => {
    backend.statuses = [status(share({ state: 'halted', haltReason: 'the marker is missing' }))]
    const { exit } = await shoal(['status', config, '--wait', '--timeout', '600'])
    assert.equal(exit, 2)
  })

  it('refuses a time that is none', async () => {
    for (const seconds of ['-1', 'soon', '1e3', '86401', ''])
      assert.equal((await shoal(['status', config, '--wait', `--timeout=${seconds}`])).exit, 64, seconds)
  })

  it('without a daemon: exit 69, with --wait as well', async () => {
    await server.close()
    const expected = `the daemon of storage path ${join(folder, 'store')} is not running\nhint: start it with: shoal run CONFIG; of one that shoal up runs, shoal ps says more\n`
    for (const more of [[], ['--wait', '--timeout', '0']])
      assert.deepEqual(await shoal(['status', config, ...more]), { exit: 69, out: '', err: expected })
  })

  it('--wait waits for a daemon that is about to listen', async () => {
    await server.close()
    const waiting = shoal(['status', config, '--wait'])
    server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
    assert.equal((await waiting).exit, 0)
  })
})

describe('other commands to the daemon', () => {
  it('scan', async () => {
    assert.deepEqual(await shoal(['scan', config]), { exit: 0, out: '', err: '' })
    assert.deepEqual(backend.calls, ['scan'])
  })

  it('approve all, or one by its folder', async () => {
    assert.equal((await shoal(['approve', config])).exit, 0)
    assert.equal((await shoal(['approve', config, join(folder, 'b/')])).exit, 0)
    const { exit, err } = await shoal(['approve', config, '/c'])
    assert.deepEqual([exit, err], [66, `/c is not a folder of ${config}\n`])
    assert.deepEqual(backend.calls, ['approve undefined', 'approve 1'])
  })

  it('name folders by the places that the daemon has them at, whatever the file has become', async () => {
    const served = (at: number, dir: string, added = false): FolderReport => ({
      ...{ share: at, dir: join(folder, dir), grade: 'write', added, fault: null, settings: null },
    })
    backend.folderList = [served(0, 'b'), served(1, 'c', true)]
    const inviteTo = (dir: string) => shoal(['invite', config, join(folder, dir), '--grade', 'write'])
    for (const dir of ['b', 'c']) assert.equal((await inviteTo(dir)).exit, 0)
    const { exit, err } = await inviteTo('a')
    const said = `${join(folder, 'a')} is new in ${config}, and not served yet: restart the daemon\n`
    assert.deepEqual([exit, err], [66, said])
    assert.deepEqual(
      backend.calls.filter((call) => call.startsWith('invite')).map((call) => call.split(' ')[1]),
      ['0', '1'],
    )
  })

  it('forget a silent member by its name or its id', async () => {
    const [old, other] = ['1'.repeat(64), `${'1'.repeat(12)}${'2'.repeat(52)}`]
    const gone = { connected: false, address: null, transport: null }
    const forgotten = async (...args: string[]): Promise<unknown[]> => {
      const { exit, out, err } = await shoal(['forget', config, ...args])
      return [exit, out + err.split('\n')[0]]
    }
    const replaced = share({ members: [member('nas'), member('nas', { device: old, ...gone })] })
    backend.statuses = [status(replaced, replaced)]
    const done = 'forgot nas (1111111111111111) until it is heard of again\n'
    assert.deepEqual(await forgotten('nas'), [0, done])
    assert.deepEqual(await forgotten('11111111'), [0, done])
    assert.deepEqual(
      backend.calls.filter((call) => call.startsWith('forget')),
      [`forget ${old}`, `forget ${old}`],
    )
    assert.deepEqual(await forgotten('1111111'), [66, 'no member is called 1111111, see shoal status'])
    assert.deepEqual(await forgotten('phone'), [66, 'no member is called phone, see shoal status'])
    assert.deepEqual(await forgotten('6e617300'), [64, 'cannot forget 6e617300: it is connected'])
    const twins = [member('nas', { device: old, ...gone }), member('nas', { device: other, ...gone })]
    backend.statuses = [status(share({ members: twins }))]
    const ids = '1111111111111111, 1111111111112222'
    assert.deepEqual(await forgotten('nas'), [64, `several unreachable members are called nas: ${ids}`])
    assert.equal((await forgotten(other.slice(0, 16)))[0], 0)
    assert.equal((await forgotten())[0], 64)
    assert.equal(backend.calls.filter((call) => call.startsWith('forget')).length, 3)
  })

  it('peers', async () => {
    assert.equal((await shoal(['peers', config])).out, 'no peers are connected\n')
    backend.peerList = [
      {
        ...{
          dir: '/a',
          device: 'b'.repeat(64),
          name: 'nas',
          grade: 'read',
          transport: 'tcp',
          address: '10.0.0.2:5',
        },
        // By a clock that was put back since: the only age that is the same whenever this runs.
        ...{ initiator: true, connectedAt: '9999-11-20T18:02:03.000Z', receivedBytes: 1e7, sentBytes: 0 },
        ...{ rttMs: 1.25, downRate: 0, upRate: 0, inSync: true },
      } as const,
    ]
    backend.peerList.push({ ...backend.peerList[0]!, dir: '/b', name: 'tablet', initiator: false })
    assert.equal(
      (await shoal(['peers', config])).out,
      `/a
  NAME  DEVICE    GRADE  ADDRESS         DIALLED  UP  RECEIVED  SENT
  nas   bbbbbbbb  read   tcp 10.0.0.2:5  out      0s  9.5 MiB   0 B

/b
  NAME    DEVICE    GRADE  ADDRESS         DIALLED  UP  RECEIVED  SENT
  tablet  bbbbbbbb  read   tcp 10.0.0.2:5  in       0s  9.5 MiB   0 B
`,
    )
    assert.deepEqual(JSON.parse((await shoal(['peers', config, '--json'])).out), backend.peerList)
  })

  it('a failure of the daemon keeps its code, message and hint', async () => {
    backend.work = () => Promise.reject(new ShoalError('SHARE_HALTED', 'cannot scan /a: it is halted'))
    const { exit, err } = await shoal(['scan', config])
    assert.equal(exit, 75)
    assert.match(err, /^cannot scan \/a: it is halted\nhint: read haltReason in shoal status/)
  })
})

describe('shoal invite', () => {
  it('prints the code alone, and what to do with it on standard error', async () => {
    const { exit, out, err } = await shoal(['invite', config, join(folder, 'b'), '--grade', 'read'])
    assert.deepEqual([exit, out], [0, `${FAKE_INVITE}\n`])
    assert.match(
      err,
      /follow \/data\/photos;\nit works once, until 2026-11-21T18:02:03Z, .* \(invite 3f2a9c01\)/,
    )
    assert.match(err, /port 44444\. A relay does not lead to it\.\n$/)
    assert.deepEqual(backend.calls, ['invite 1 read 86400000'])
  })

  it('takes a life, a grade and --json', async () => {
    const lives: [string, number][] = [
      ['30s', 30_000],
      ['90m', 5_400_000],
      ['24h', 86_400_000],
      ['7d', 604_800_000],
    ]
    for (const [text, lifeMs] of lives) {
      const argv = ['invite', config, join(folder, 'a'), '--grade=write', `--expires=${text}`, '--json']
      const { exit, out, err } = await shoal(argv)
      assert.deepEqual([exit, err], [0, ''])
      const { invite: code, port, grade } = JSON.parse(out) as Record<string, unknown>
      assert.deepEqual([code, port, grade], [FAKE_INVITE, 44444, 'write'])
      assert.equal(backend.calls.pop(), `invite 0 write ${lifeMs}`)
    }
  })

  it('lists and revokes', async () => {
    assert.equal((await shoal(['invite', config, '--list'])).out, 'no invites\n')
    const closedAt = '2026-11-20T19:00:00.000Z'
    backend.inviteList = [
      invite({ wrongTries: 2 }),
      invite({ state: 'used', grade: 'write', closedAt, usedBy: '10.0.0.7:5123', confirmed: true }),
      invite({ state: 'used', closedAt, usedBy: '10.0.0.8:1', confirmed: false }),
      invite({ state: 'ended', closedAt, wrongTries: 10 }),
    ]
    const { out } = await shoal(['invite', config, '--list'])
    assert.equal(
      out,
      `INVITE    FOLDER        GRADE  STATE                                                     UNTIL                 WRONG TRIES
3f2a9c01  /data/photos  read   open                                                      2026-11-21T18:02:03Z  2
3f2a9c01  /data/photos  write  used 2026-11-20T19:00:00Z from 10.0.0.7:5123              2026-11-21T18:02:03Z  0
3f2a9c01  /data/photos  read   used 2026-11-20T19:00:00Z from 10.0.0.8:1, not confirmed  2026-11-21T18:02:03Z  0
3f2a9c01  /data/photos  read   ended 2026-11-20T19:00:00Z                                2026-11-21T18:02:03Z  10
`,
    )
    assert.deepEqual(
      JSON.parse((await shoal(['invite', config, '--list', '--json'])).out),
      backend.inviteList,
    )
    assert.equal((await shoal(['invite', config, '--revoke', '3f2a9c01'])).exit, 0)
    assert.deepEqual(backend.calls, ['revoke 3f2a9c01'])
  })

  const wrong: [string, string[], RegExp][] = [
    ['no grade', [], /say which: --grade read/],
    ['two things at once', ['--grade', 'read', '--list'], /say which/],
    ['no folder of two', ['--grade', 'read'], /has 2 folders: name the one to invite to/],
    ['a folder to list', ['/data', '--list'], /a folder is named for a new invite only/],
    ['a blind invite', ['--grade', 'blind'], /Allowed choices are write, read/],
    [
      'a life that is none',
      ['--grade', 'read', '--expires', 'soon'],
      /expected a time such as 30m, 24h or 7d/,
    ],
    ['an id that is none', ['--revoke', FAKE_INVITE], /expected the id of an invite/],
  ]
  for (const [name, more, message] of wrong)
    it(`refuses ${name}: exit 64`, async () => {
      const { exit, err, out } = await shoal(['invite', config, ...more])
      assert.deepEqual([exit, out], [64, ''])
      assert.match(err, message)
      assert.ok(!err.includes(FAKE_INVITE))
      assert.deepEqual(backend.calls, [])
    })

  it('a code where a folder belongs is not quoted', async () => {
    const { exit, err } = await shoal(['invite', config, FAKE_INVITE, '--grade', 'read'])
    assert.equal(exit, 66)
    assert.ok(!err.includes(FAKE_INVITE), err)
  })
})

describe('shoal release', () => {
  const node = { device: 'a'.repeat(64), name: 'web1', follows: true, connected: true, current: 'v1' }
  const report = {
    dir: '/srv/www',
    follows: false,
    order: { name: 'v2', when: 'all', by: 'build', time: '2026-11-20T18:02:03.000Z', sequence: 2 },
    waitsFor: 'release v2 is not all here yet',
    releases: [
      {
        ...{
          name: 'v1',
          created: '2026-11-20T18:02:03.123Z',
          by: 'build',
          files: 2,
          bytes: 2048,
          hold: 'complete',
        },
        ...{ shownBy: [node.device], heldBy: [node.device] },
      },
      {
        ...{ name: 'v2', created: null, by: null, files: null, bytes: null, hold: 'partial' },
        ...{ shownBy: [], heldBy: [] },
      },
    ],
    nodes: [node, { ...node, device: 'b'.repeat(64), name: 'web2\u0007', connected: false }],
  } as const

  it('lists what there is, safe to print', async () => {
    backend.releasesList = [report as never]
    const { exit, out, err } = await shoal(['release', 'list', config])
    assert.deepEqual([exit, err], [0, ''])
    assert.equal(
      out,
      `RELEASE  MADE                  BY     FILES  SIZE     HERE      SHOWN BY  HELD BY
v1       2026-11-20T18:02:03Z  build  2      2.0 KiB  complete  web1      web1
v2       unfinished            -      -      -        partial   -         -
to be shown: v2, once all hold it
this node: release v2 is not all here yet
not connected: web2\\u{7}
`,
    )
    const json = await shoal(['release', 'list', config, '--json'])
    assert.deepEqual(JSON.parse(json.out), [report])
  })

  it('asks for what is wanted, of the folder that is meant', async () => {
    const dir = join(folder, 'b')
    const lines = [
      ['create', config, '--dir', dir, '--name', 'v3', '--keep', '2', '--when', '3'],
      ['create', config, '--dir', dir, '--no-switch'],
      ['switch', config, 'v1', '--dir', dir, '--when', 'all'],
      ['rollback', config, '--dir', dir],
      ['remove', config, 'v0', '--dir', dir],
    ]
    const outs: string[] = []
    for (const line of lines) {
      const { exit, out, err } = await shoal(['release', ...line])
      assert.deepEqual([exit, err], [0, ''])
      outs.push(out)
    }
    assert.deepEqual(backend.calls, [
      'release {"share":1,"name":"v3","keep":2,"when":3}',
      'release {"share":1,"when":null}',
      'switch 1 v1 all',
      'rollback 1',
      'remove 1 v0',
    ])
    assert.equal(outs[0], 'v3: 3 files, 1.5 KiB\nremoved v0\n')
    assert.equal(outs[2], 'to be shown: v1, once all hold it\n')
    assert.equal(outs[4], 'removed v0\n')
  })

  it('refuses what makes no sense, before anything is asked', async () => {
    for (const [line, says] of [
      [['create', config], /2 folders: name the one that is meant with --dir/],
      [['create', config, '--dir', folder, '--no-switch', '--when', 'all'], /--no-switch/],
      [['create', config, '--keep', '0'], /expected a number from 1 to 256/],
      [['create', config, '--when', 'soon'], /expected a number from 1 to 1000/],
      [['publish', config], /there is no command "release publish"/],
      [[], /say which: create, switch, rollback, list or remove/],
    ] as const) {
      const { exit, err } = await shoal(['release', ...line])
      assert.equal(exit, 64, err)
      assert.match(err, says)
    }
    assert.deepEqual(backend.calls, [])
  })
})
