import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import type { SwitchOrder } from '../../../src/core/release.js'
import type { ReleaseFiles } from '../../../src/daemon/release/release-files.js'
import type { ReleaseParts } from '../../../src/daemon/release/release-parts.js'
import { Switcher } from '../../../src/daemon/release/switcher.js'
import { STAGING_DIR } from '../../../src/folder/marker.js'
import { silentLog } from '../../../src/ports/log.js'

const ORDER: SwitchOrder = {
  ...{ name: 'v1', when: 'now', by: 'laptop', time: '2026-11-20T18:02:03.000Z', sequence: 1 },
  before: [],
} as unknown as SwitchOrder

test('a switch that failed is tried again, though nothing is told of what was in its way', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-switcher-'))
  t.after(() => fs.rmSync(root, { recursive: true }))
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const problems = new Map<string, string>()
  let told: () => void = () => {}
  const isTold = (): Promise<void> =>
    new Promise((resolve) => {
      told = resolve
    })
  const parts = {
    follows: true,
    isDiskKnown: () => true,
    members: () => [],
    isExpired: () => false,
    reports: { of: () => undefined },
    context: {
      root,
      log: silentLog,
      haltReason: () => undefined,
      checkRoot: async () => undefined,
      rootIdentity: () => undefined,
      publish: async () => {},
      index: { heldBack: 0, transaction: (body: () => unknown) => body(), refreshBelow: () => undefined },
      problems: {
        set: (_kind: string, _path: string, code: string, detail: string) => {
          problems.set(code, detail)
          told()
        },
        clear: () => {},
      },
    },
  } as unknown as ReleaseParts
  const files = { order: () => ORDER, hold: () => 'complete' } as unknown as ReleaseFiles
  const switcher = new Switcher(parts, files)
  // There is nowhere to make the link, as on a disk that is full.
  const failed = isTold()
  switcher.look()
  await failed
  assert.deepEqual([...problems.keys()], ['CURRENT_FAILED'])
  assert.equal(switcher.shown, undefined)

  fs.mkdirSync(path.join(root, STAGING_DIR), { recursive: true })
  const isShown = new Promise((resolve) => switcher.onSwitched(resolve))
  t.mock.timers.tick(60_000)
  assert.equal(await isShown, 'v1')
  assert.equal(fs.readlinkSync(path.join(root, 'current')), 'releases/v1')
  switcher.stop()
})
