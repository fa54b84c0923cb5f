// `shoal backup add` beside a daemon that runs: it keeps one more share, and still does after a restart.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { deriveSecret, formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { eventually, withWorld } from '../support/daemons.js'

it('has the daemon that runs keep shares, blind and readable', async () => {
  await withWorld({}, async (world) => {
    const keeper = await world.node('keeper', { grade: 'blind', knows: [] })
    await keeper.start()
    const add = async (grade: 'blind' | 'read', seed: number): Promise<string> => {
      const secret = deriveSecret(writeSecretOf(Buffer.alloc(32, seed)), grade)
      const file = path.join(world.root, `${grade}.secret`)
      fs.writeFileSync(file, formatSecret(secret), { mode: 0o600 })
      const dir = path.join(world.root, `kept-${grade}`)
      const places = ['--to', dir, '--config', keeper.configFile, '--no-search-lan']
      const done = await world.run(['backup', 'add', ...places, '--secret-file', file, '--json'])
      assert.equal(done.exit, 0, done.err)
      const { isAdded, grade: told } = JSON.parse(done.out) as Record<string, unknown>
      assert.deepEqual([isAdded, told], [true, grade])
      return dir
    }
    const dirs = [await add('blind', 1), await add('read', 2)]
    const kept = async (): Promise<string[]> => (await keeper.client.status()).shares.map(({ dir }) => dir)
    assert.deepEqual((await kept()).slice(1), dirs)
    await keeper.stop()
    await keeper.start()
    await eventually('they are there again', async () => (await kept()).length === 3)
    assert.deepEqual((await kept()).slice(1), dirs)
  })
})
