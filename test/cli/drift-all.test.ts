import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { formatDriftOfAll } from '../../src/cli/drift-all.js'
import type { MemberDriftReport } from '../../src/control/schema-drift.js'
import { serveControl } from '../../src/control/server.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend, memberDrift } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

const AS_OF = '2026-11-19T08:00:00.000Z'
const NONE = { total: 0, open: 0, items: [] }
const [ITEM] = memberDrift('x').items as [MemberDriftReport['items'][number]]

test('every member with its paths; what is old says from when, and what is not listed how much', () => {
  const text = formatDriftOfAll([
    memberDrift('laptop', { isHere: true, ...NONE }),
    memberDrift('web1', {
      total: 42,
      open: 41,
      items: [
        { ...ITEM, path: 'a\u001b', restores: 3 },
        { ...ITEM, acknowledgement: { reason: 'known', since: AS_OF, until: '2026-12-01T00:00:00.000Z' } },
      ],
    }),
    memberDrift('web2', { asOf: AS_OF }),
    memberDrift('web3', { asOf: AS_OF, ...NONE }),
    memberDrift('twin'),
    memberDrift('twin', { device: 'f'.repeat(64) }),
    memberDrift('old', { isListed: false, total: 5, open: 5, items: [], asOf: AS_OF }),
    memberDrift('laptop', { dir: '/b', isHere: true, ...NONE }),
  ])
  assert.equal(
    text,
    `/data/photos
  NODE                              PATH       WHAT                              SINCE                 ACKNOWLEDGED
  web1                              a\\u{1b}    content, mode (put back 3 times)  2026-11-20T18:02:03Z  -
  web1                              etc/hosts  content, mode                     2026-11-20T18:02:03Z  known (until 2026-12-01T00:00:00Z)
  web2, as of 2026-11-19T08:00:00Z  etc/hosts  content, mode                     2026-11-20T18:02:03Z  -
  twin (7477696e)                   etc/hosts  content, mode                     2026-11-20T18:02:03Z  -
  twin (ffffffff)                   etc/hosts  content, mode                     2026-11-20T18:02:03Z  -
  web1: and 40 more
  web3: no drift as of 2026-11-19T08:00:00Z, not connected
  old: 5 paths as of 2026-11-19T08:00:00Z, not reported one by one

/b
  no drift
`,
  )
  assert.equal(formatDriftOfAll([memberDrift('laptop', NONE)]), 'no drift on any member\n')
})

test('shoal drift --all: exit code 1 while any member has drift that nobody has acknowledged', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const config = join(folder, 'shoal.conf')
  const share = { secret: formatSecret(writeSecretOf(Buffer.alloc(32, 1))), dir: 'a' }
  writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: [share] }))
  mkdirSync(join(folder, 'store'))
  const backend = new FakeBackend()
  const server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
  t.after(() => server.close())
  const cases: [MemberDriftReport[], number][] = [
    [[], 0],
    [[memberDrift('a', NONE)], 0],
    [[memberDrift('a', { open: 0 })], 0],
    [[memberDrift('a', NONE), memberDrift('b')], 1],
    [[memberDrift('a', { asOf: AS_OF })], 1],
  ]
  for (const [list, exit] of cases) {
    backend.memberDriftList = list
    const json = await shoal(['drift', config, '--all', '--json'])
    assert.deepEqual(JSON.parse(json.out), list)
    const text = await shoal(['drift', '--all', config])
    assert.deepEqual([json.exit, text.exit, text.err], [exit, exit, ''])
    assert.equal(text.out, formatDriftOfAll(list))
  }
})
