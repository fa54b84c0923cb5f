import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { ControlRequest } from '../../../src/control/request.js'
import {
  healthReport,
  MAX_DELAY_MS,
  type ReadyReport,
  type ReadyShare,
  readyReport,
} from '../../../src/daemon/health/health.js'
import { healthPages } from '../../../src/daemon/health/pages.js'
import { storageFault } from '../../../src/daemon/health/storage.js'

const DONE: ReadyShare = { dir: '/secret-place', hasScanned: true, haltReason: undefined }

test('health: an event loop that is late beyond all bounds is not healthy', () => {
  assert.equal(healthReport(0, 1000).healthy, true)
  assert.equal(healthReport(MAX_DELAY_MS, 1000).healthy, true)
  assert.equal(healthReport(MAX_DELAY_MS + 1, 1000).healthy, false)
})

const READY: readonly {
  name: string
  shares: readonly ReadyShare[] | undefined
  fault?: string
  codes: string[]
}[] = [
  { name: 'all looked through', shares: [DONE, DONE], codes: [] },
  { name: 'no share at all is nothing to wait for', shares: [], codes: [] },
  { name: 'the daemon starts', shares: undefined, codes: ['starting'] },
  {
    name: 'one is not looked through',
    shares: [DONE, { ...DONE, hasScanned: false }],
    codes: ['scanning 1'],
  },
  {
    name: 'one is halted, which is why it is not looked through',
    shares: [{ ...DONE, hasScanned: false, haltReason: 'most files are gone' }, DONE],
    codes: ['halted 0'],
  },
  { name: 'the storage is full', shares: [DONE], fault: 'full', codes: ['storage'] },
]

for (const { name, shares, fault, codes } of READY)
  test(`ready: ${name}`, () => {
    const { ready, reasons } = readyReport(shares, fault, true)
    assert.equal(ready, codes.length === 0)
    assert.deepEqual(
      reasons.map(({ code, share }) => (share === null ? code : `${code} ${share}`)),
      codes,
    )
  })

test('ready: folders and why they are halted are told over the socket alone', () => {
  const shares = [{ ...DONE, haltReason: '/secret-place lost its marker' }]
  assert.equal(readyReport(shares, undefined, true).reasons[0]!.dir, '/secret-place')
  assert.match(readyReport(shares, undefined, true).reasons[0]!.detail, /marker/)
  assert.doesNotMatch(JSON.stringify(readyReport(shares, undefined, false)), /secret-place/)
})

test('storage: a folder that is there is fine, one that is not is said to be unusable, without its name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-health-'))
  assert.equal(await storageFault(folder), undefined)
  rmSync(folder, { recursive: true })
  assert.equal(await storageFault(folder), 'storage_path cannot be written to: ENOENT')
})

test('the pages answer 200 or 503, and tell less over TCP', async () => {
  let shares: readonly ReadyShare[] | undefined
  const pages = new Map(
    healthPages({ storagePath: tmpdir(), shares: () => shares }).map((page) => [page.path, page]),
  )
  const ask = async (path: string, via: 'socket' | 'tcp'): Promise<{ status: number; body: unknown }> => {
    const request: ControlRequest = { method: 'GET', path, via }
    return (await pages.get(path)!.answer(request)) as { status: number; body: unknown }
  }
  assert.equal((await ask('/health', 'tcp')).status, 200)
  assert.equal((await ask('/ready', 'socket')).status, 503)
  shares = [{ ...DONE, hasScanned: false }]
  const open = await ask('/ready', 'tcp')
  assert.equal(open.status, 503)
  assert.equal((open.body as ReadyReport).reasons[0]!.dir, null)
  assert.equal(((await ask('/ready', 'socket')).body as ReadyReport).reasons[0]!.dir, '/secret-place')
  shares = [DONE]
  assert.deepEqual(await ask('/ready', 'socket'), { status: 200, body: { ready: true, reasons: [] } })
})
