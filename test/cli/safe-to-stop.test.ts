import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatStatus } from '../../src/cli/status-text.js'
import type { CountedCopies, StopFacts, StopReport } from '../../src/control/schema-copies.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { reasonsToStay } from '../../src/control/stop-verdict.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

const NOTHING = { pieces: 0, bytes: 0 }
const ALL_WELL: StopFacts = {
  ...{ min: 2, offsite: 1, writes: true, looked: true, standing: 'at-rest', hasRecords: true },
  held: { pieces: 40, bytes: 10 << 20 },
  ...{ onlyHere: NOTHING, belowMin: NOTHING, belowOffsite: NOTHING },
  complete: { count: 2, offsite: 1 },
  members: [
    { device: 'a'.repeat(64), name: 'nas', word: 'counted', offsite: false, behind: 0 },
    { device: 'b'.repeat(64), name: 'attic', word: 'counted', offsite: true, behind: 0 },
  ],
}

function report(changes: Partial<StopFacts> = {}): StopReport {
  const facts = { ...ALL_WELL, ...changes }
  const reasons = reasonsToStay(facts)
  return { share: 0, dir: '/data/photos', safe: reasons.length === 0, reasons, ...facts }
}

describe('shoal safe-to-stop', () => {
  let folder: string
  let config: string
  let backend: FakeBackend
  let server: ControlServer

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
    config = join(folder, 'shoal.conf')
    const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
    writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: [{ secret, dir: 'a' }] }))
    mkdirSync(join(folder, 'store'))
    backend = new FakeBackend()
    server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
  })
  after(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  it('exits with 0 where every folder may do without this device', async () => {
    backend.stopReports = [report(), { ...report({ held: NOTHING, hasRecords: false }), dir: '/data/new' }]
    const { exit, out } = await shoal(['safe-to-stop', config, '--timeout', '5'])
    assert.equal(exit, 0)
    assert.equal(
      out,
      `safe to stop

/data/photos: safe
  all 10.0 MiB are on 2 or more other devices, 1 of them off-site

/data/new: safe
  nothing of it is here
`,
    )
    assert.equal(backend.calls.at(-1), 'safe to stop all 5000')
    backend.stopReports = []
    assert.equal((await shoal(['safe-to-stop', config])).out, 'safe to stop: no shared folders\n')
  })

  it('exits with 1 and says why, and who does not count', async () => {
    const [nas, attic] = ALL_WELL.members
    backend.stopReports = [
      report(),
      {
        ...report({
          onlyHere: { pieces: 1, bytes: 2048 },
          belowMin: { pieces: 3, bytes: 4096 },
          belowOffsite: { pieces: 2, bytes: 3000 },
          complete: { count: 0, offsite: 0 },
          members: [
            { ...nas!, behind: 12 },
            { ...attic!, word: 'unreachable' },
            { ...attic!, name: 'old\u001b[31m', word: 'silent' },
          ],
        }),
        dir: '/data/notes',
      },
    ]
    const { exit, out } = await shoal(['safe-to-stop', config])
    assert.equal(exit, 1)
    assert.equal(
      out,
      `NOT safe to stop

/data/photos: safe
  all 10.0 MiB are on 2 or more other devices, 1 of them off-site

/data/notes: not safe
  - 2.0 KiB (1 piece) would be on no other device that can be reached
  - 2.0 KiB (2 pieces) would be on fewer than 2 devices
  - 2.9 KiB (2 pieces) would be on fewer than 1 device off-site
  - 0 of 2 other devices know of all changes: nas (aaaaaaaa) lacks 12 records
  not counted: attic (bbbbbbbb), not connected
  not counted: old\\u{1b}[31m (bbbbbbbb), did not answer in time
`,
    )
    const json = await shoal(['safe-to-stop', config, '--json'])
    assert.equal(json.exit, 1)
    assert.deepEqual(JSON.parse(json.out), { safe: false, shares: backend.stopReports })
  })

  it('any doubt about this device itself is a reason', () => {
    const cases: [Partial<StopFacts>, string[]][] = [
      [{ looked: false, standing: 'working' }, ['not-looked']],
      [{ looked: false, standing: 'halted' }, ['halted']],
      [{ standing: 'paused' }, ['paused']],
      [{ standing: 'unread' }, ['unread']],
      // What a reader cannot read is no less on the devices that have it.
      [{ standing: 'unread', writes: false }, []],
      // At work after its disk was looked at: others have changed something meanwhile, which they hold.
      [{ standing: 'working' }, []],
      [{ complete: { count: 1, offsite: 1 } }, ['not-read']],
      [{ complete: { count: 2, offsite: 0 } }, ['not-read']],
      [{ complete: { count: 0, offsite: 0 }, hasRecords: false }, []],
      [{ onlyHere: { pieces: 2, bytes: 9 }, belowMin: { pieces: 2, bytes: 9 } }, ['only-here']],
    ]
    for (const [changes, reasons] of cases) assert.deepEqual(report(changes).reasons, reasons)
  })

  it('refuses a time that is none', async () => {
    for (const wrong of ['0', '3601', 'soon', '-5']) {
      const { exit, err } = await shoal(['safe-to-stop', config, '--timeout', wrong])
      assert.equal(exit, 64)
      assert.match(err, /expected seconds from 1 to 3600/)
    }
  })
})

describe('shoal status', () => {
  it('says how a promise of copies is kept', () => {
    const counted: CountedCopies = {
      ...{ at: '2026-11-20T18:02:03.000Z', kept: true, fewest: null, paths: [] },
      total: { pieces: 40, bytes: 10 << 20 },
      ...{ short: NOTHING, belowMin: NOTHING, belowOffsite: NOTHING, none: NOTHING },
    }
    const short = { pieces: 2, bytes: 2048 }
    const lineOf = (copies: Parameters<typeof share>[0] & object): string | undefined =>
      /^ {2}copies +(.*)$/m.exec(formatStatus(status(share(copies))))?.[1]
    const promise = { min: 3, offsite: 1 }
    assert.equal(lineOf({ copies: null }), undefined)
    assert.equal(lineOf({ copies: { ...promise, counted: null } }), '3 promised, 1 off-site; not counted yet')
    assert.equal(
      lineOf({ copies: { ...promise, offsite: 0, counted } }),
      '3 promised; all 10.0 MiB have them',
    )
    assert.equal(
      lineOf({ copies: { ...promise, counted: { ...counted, kept: false, short, paths: ['a', 'b', 'c'] } } }),
      '3 promised, 1 off-site; too few of 2 pieces, 2.0 KiB of 10.0 MiB, in a, b ...',
    )
  })
})
