// What keeps a folder that was admitted for somebody over TCP the folder that is added.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Config } from '../../src/config/config.js'
import type { Secret } from '../../src/core/secret.js'
import type { AddedFolders } from '../../src/daemon/added-folders.js'
import { FolderAdmin, type RunningFolders } from '../../src/daemon/folder-admin.js'
import { silentLog } from '../../src/ports/log.js'

const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-admin-')))
after(() => fs.rmSync(root, { recursive: true, force: true }))

test('a link that has taken the place of an admitted folder is not followed, and one that has gone is not made', async () => {
  const admin = new FolderAdmin({
    config: () => ({}) as Config<Secret>,
    folders: (): AddedFolders => assert.fail('nothing is added'),
    running: () => ({ shares: { all: [] }, invites: {} }) as unknown as RunningFolders,
    isStopping: () => false,
    started: async () => {},
    log: silentLog,
  })
  const [admitted, elsewhere] = [path.join(root, 'admitted'), path.join(root, 'elsewhere')]
  fs.mkdirSync(elsewhere)
  fs.symlinkSync(elsewhere, admitted)
  await assert.rejects(admin.add({ dir: admitted, secret: 'x' }, true), { code: 'SHARE_UNUSABLE' })
  const gone = path.join(root, 'gone')
  await assert.rejects(admin.add({ dir: gone, secret: 'x' }, true), { code: 'SHARE_UNUSABLE' })
  assert.deepEqual([fs.existsSync(gone), fs.readdirSync(elsewhere)], [false, []])
})
