import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import type { ShareId } from '../../src/core/ids.js'
import { Identity } from '../../src/daemon/identity.js'
import { lockStorage } from '../../src/daemon/lock.js'

const SHARE = 'ab'.repeat(32) as ShareId

let storage: string
beforeEach(() => {
  storage = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-identity-'))
})
afterEach(() => fs.rmSync(storage, { recursive: true }))

test('K4: an identity is made once, for the owner alone, and read back the same', () => {
  const made = Identity.open(storage)
  assert.equal(made.isNew, true)
  assert.equal(fs.statSync(path.join(storage, 'identity.json')).mode & 0o777, 0o600)
  const read = Identity.open(storage)
  assert.equal(read.isNew, false)
  assert.deepEqual(read.seed, made.seed)
  assert.equal(read.device.device, made.device.device)
})

test('F4: an epoch is on the disk before it is used, share by share', () => {
  const identity = Identity.open(storage)
  assert.equal(identity.epochOf(SHARE), 0)
  assert.equal(identity.nextEpoch(SHARE), 1)
  assert.equal(Identity.open(storage).epochOf(SHARE), 1)
  assert.equal(identity.nextEpoch(SHARE), 2)
  assert.equal(Identity.open(storage).epochOf('cd'.repeat(32) as ShareId), 0)
})

test('F4: stepping aside makes another device without epochs', () => {
  const identity = Identity.open(storage)
  const before = identity.device.device
  identity.nextEpoch(SHARE)
  identity.stepAside()
  assert.notEqual(identity.device.device, before)
  assert.equal(identity.epochOf(SHARE), 0)
  assert.equal(Identity.open(storage).device.device, identity.device.device)
})

test('K4: a damaged identity is refused with its place, not replaced and not quoted', () => {
  const file = path.join(storage, 'identity.json')
  const seed = Identity.open(storage).seed.toString('hex')
  for (const text of [
    '',
    '{',
    `{"format":1,"seed":"${seed.slice(1)}","epochs":{}}`,
    `{"format":9,"seed":"${seed}"}`,
  ]) {
    fs.writeFileSync(file, text)
    assert.throws(
      () => Identity.open(storage),
      (thrown: Error & { code?: string }) => {
        assert.equal(thrown.code, 'STORAGE_UNUSABLE')
        assert.ok(thrown.message.includes(file))
        const told = JSON.stringify([thrown.message, String(thrown.cause), thrown.stack])
        assert.equal(told.includes(seed.slice(1, 20)), false)
        return true
      },
    )
    assert.equal(fs.readFileSync(file, 'utf8'), text)
  }
})

test('K4: a half-written new identity beside the old one does not matter', () => {
  const { seed } = Identity.open(storage)
  fs.writeFileSync(path.join(storage, 'identity.json.new'), '{"form')
  const again = Identity.open(storage)
  assert.deepEqual(again.seed, seed)
  again.nextEpoch(SHARE)
  assert.equal(Identity.open(storage).epochOf(SHARE), 1)
})

test('section 9: a storage path has one holder at a time, and who is refused learns its pid', () => {
  const inner = path.join(storage, 'made', 'now')
  const lock = lockStorage(inner)
  assert.equal(fs.statSync(inner).mode & 0o777, 0o700)
  assert.throws(
    () => lockStorage(inner),
    (thrown: Error & { code?: string }) => {
      assert.equal(thrown.code, 'STORAGE_LOCKED')
      assert.match(thrown.message, new RegExp(`pid ${process.pid}\\b`))
      return true
    },
  )
  lock.release()
  lockStorage(inner).release()
})

test('section 9: the lock goes with its process, however that ends', async () => {
  const url = new URL('../../src/daemon/lock.js', import.meta.url).href
  const program = `import { lockStorage } from ${JSON.stringify(url)}; lockStorage(${JSON.stringify(storage)}); console.log('held'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  assert.throws(() => lockStorage(storage), new RegExp(`pid ${child.pid}\\b`))
  child.kill('SIGKILL')
  await once(child, 'exit')
  lockStorage(storage).release()
})

test('section 9: what cannot be a storage path says so', () => {
  const file = path.join(storage, 'file')
  fs.writeFileSync(file, '')
  assert.throws(() => lockStorage(file), { code: 'STORAGE_UNUSABLE' })
})
