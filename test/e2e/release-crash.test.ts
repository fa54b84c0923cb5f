// A node that is killed while it fetches, switches or has just switched shows the whole of one release at every moment. Many
// more rounds: npm run soak:releases.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withWorld } from '../support/daemons.js'
import { releaseRounds } from './release-rounds.js'

test('over 5 releases and as many kills, no reader sees a mixture', async () => {
  await withWorld({ logLevel: 'info' }, async (world) => {
    const { readers, rollbackMs } = await releaseRounds(world, {
      ...{ seed: 1, rounds: 6, files: 200, followers: 2, kills: true, roundMs: 60_000 },
    })
    assert.equal(rollbackMs.length, 1)
    for (const { looks, switches } of readers) assert.ok(looks > 100 && switches > 3, `${looks} ${switches}`)
  })
})
