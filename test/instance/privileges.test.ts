import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { hasCapability } from '../../src/instance/privileges.js'

test('capabilities in force are told from /proc, and without it from who we are', (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-caps-'))
  t.after(() => fs.rmSync(folder, { recursive: true }))
  const status = (text: string): string => {
    const file = path.join(folder, 'status')
    fs.writeFileSync(file, text)
    return file
  }
  const onlyChown = status('CapPrm:\t0000000000000009\nCapEff:\t0000000000000001\n')
  assert.equal(hasCapability('CAP_CHOWN', onlyChown), true)
  assert.equal(hasCapability('CAP_FOWNER', onlyChown), false)
  assert.equal(hasCapability('CAP_FOWNER', status('CapEff:\t0000000000000008\n')), true)
  const isRoot = process.geteuid?.() === 0
  assert.equal(hasCapability('CAP_CHOWN', path.join(folder, 'missing')), isRoot)
  assert.equal(hasCapability('CAP_CHOWN', status('nothing of the kind')), isRoot)
})
