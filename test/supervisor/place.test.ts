import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { lockFile } from '../../src/daemon/lock.js'
import { defaultsFileOf, folderOf, stateFault, stateFolderOf } from '../../src/supervisor/place.js'
import { account, needsUser } from '../support/privileges.js'

test('place: a folder has one state folder, by whatever way it is named', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-place-'))
  try {
    const env = { XDG_RUNTIME_DIR: '/run/user/1000' }
    const link = `${folder}/link`
    fs.symlinkSync(folder, link)
    assert.equal(stateFolderOf(folder, undefined, env), stateFolderOf(link, undefined, env))
    assert.notEqual(stateFolderOf(folder, undefined, env), stateFolderOf(os.tmpdir(), undefined, env))
    assert.equal(stateFolderOf(folder, 'here', env), path.resolve('here'))
    const start = process.geteuid?.() === 0 ? '/run/shoal/up-' : '/run/user/1000/shoal/up-'
    assert.ok(stateFolderOf(folder, undefined, env).startsWith(start))
    if (process.geteuid?.() !== 0)
      assert.equal(stateFolderOf(folder, undefined, {}), path.join(fs.realpathSync(folder), '.up'))
    assert.equal(folderOf(folder), folder)
    // AUTOSTART of the system is not for a folder of one's own.
    assert.equal(defaultsFileOf(folder, undefined), undefined)
    assert.equal(defaultsFileOf(folder, '/x'), '/x')
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('place: a folder that is not there is named', () => {
  assert.throws(() => folderOf('/nowhere/at/all'), /there is no folder of configurations \/nowhere\/at\/all/)
})

test('place: a state folder is its own user alone, and nobody can exchange it', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-place-'))
  const state = path.join(folder, 'state')
  try {
    fs.chmodSync(folder, 0o755)
    fs.mkdirSync(state, { mode: 0o700 })
    assert.equal(stateFault(state), undefined)
    fs.chmodSync(state, 0o711)
    assert.match(stateFault(state)!, /^others have rights to it \(mode 0711\): chmod 700 /)
    fs.chmodSync(state, 0o700)
    fs.chmodSync(folder, 0o777)
    assert.match(stateFault(state)!, /^others can exchange it: .*: chmod go-w /)
    fs.chmodSync(folder, 0o1777)
    assert.equal(stateFault(state), undefined)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('place: what another user has put up is no state folder', { skip: needsUser('nobody') }, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-place-'))
  try {
    fs.chownSync(folder, account('nobody')!.uid, 0)
    assert.match(stateFault(folder)!, /^it belongs to another user/)
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})

test('place: the lock is never another file by a link', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-place-'))
  try {
    fs.writeFileSync(path.join(folder, 'precious'), 'precious')
    fs.symlinkSync('precious', path.join(folder, 'lock'))
    assert.throws(() => lockFile(path.join(folder, 'lock')), { code: 'ELOOP' })
    assert.equal(fs.readFileSync(path.join(folder, 'precious'), 'utf8'), 'precious')
  } finally {
    fs.rmSync(folder, { recursive: true })
  }
})
