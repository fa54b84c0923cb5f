// Seeded histories: what is restored as of a moment is what stood then. A longer run: npm run soak:restore.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, test } from 'node:test'
import { restore } from '../../../src/daemon/restore/restore.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { live, randomOf } from '../../support/past-history.js'
import { PastWorld } from '../../support/past-world.js'
import { differencesOf, snapshot } from '../../support/trees.js'

const HISTORIES = 30
const STEPS = 12

const pool = new FolderPool()
let base: string
before(() => {
  base = fs.mkdtempSync(path.join(tmpdir(), 'shoal-histories-'))
})
after(async () => {
  await pool.close()
  fs.rmSync(base, { recursive: true, force: true })
})

describe('histories', { concurrency: 4 }, () => {
  for (let seed = 1; seed <= HISTORIES; seed++)
    test(`history ${seed}`, async () => {
      const home = path.join(base, String(seed))
      fs.mkdirSync(home)
      const world = await PastWorld.make(seed, home, 1 + (seed % 3))
      try {
        const moments = await live(world, seed, STEPS)
        const vault = await world.vault()
        const moment = moments[Math.floor(randomOf(seed * 7)() * moments.length)]!
        const to = path.join(home, 'restored')
        const atMs = moment === moments.at(-1) ? undefined : moment.atMs
        const report = await restore({
          ...{ secret: world.secret, from: { type: 'vault', vault }, to, atMs, pool },
          signal: new AbortController().signal,
        })
        assert.deepEqual(report.lacking, [])
        assert.equal(report.complete, true)
        assert.deepEqual(differencesOf(moment.tree, snapshot(to)), [])
        assert.deepEqual(
          fs.readdirSync(to).filter((name) => name === '.shoal'),
          [],
        )
      } finally {
        await world.close()
      }
    })
})
