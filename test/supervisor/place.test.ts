import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { defaultsFileOf, folderOf, stateFolderOf } from '../../src/supervisor/place.js'

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
