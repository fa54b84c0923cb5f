// Seeded histories of a share, each restored from a vault as of many moments and compared with what stood then, for as long
// as one likes: `node scripts/soak-restore.mjs [--seed N] [--histories N] [--steps N] [--moments N]` after a build.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    histories: { type: 'string', default: '30' },
    steps: { type: 'string', default: '60' },
    moments: { type: 'string', default: '8' },
  },
})
const built = (file) => import(new URL(`../dist/${file}`, import.meta.url))
const { restore } = await built('src/daemon/restore/restore.js')
const { FolderPool } = await built('src/folder/pool.js')
const { PastWorld } = await built('test/support/past-world.js')
const { live, randomOf } = await built('test/support/past-history.js')
const { differencesOf, snapshot } = await built('test/support/trees.js')

const startedMs = performance.now()
const pool = new FolderPool()
const first = Number(values.seed)
let restored = 0
let paths = 0
try {
  for (let seed = first; seed < first + Number(values.histories); seed++) {
    const home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-soak-restore-'))
    const world = await PastWorld.make(seed, home, 1 + (seed % 3))
    try {
      // Of a time before anybody had written anything there is nothing to restore, which restore says.
      const lived = await live(world, seed, Number(values.steps))
      const all = lived.slice(lived.findIndex(({ tree }) => tree.size > 0))
      const vault = path.join(home, 'vault')
      await world.writeVault(vault)
      const random = randomOf(seed * 7)
      for (let i = 0; i < Number(values.moments); i++) {
        const moment = all[Math.floor(random() * all.length)]
        const to = path.join(home, `to-${i}`)
        const { signal } = new AbortController()
        const from = { type: 'vault', vault }
        const report = await restore({ secret: world.secret, from, to, atMs: moment.atMs, pool, signal })
        const wrong = [...report.lacking.map(String), ...differencesOf(moment.tree, snapshot(to))]
        if (wrong.length > 0) throw new Error(`seed ${seed}, at ${moment.atMs}:\n${wrong.join('\n')}`)
        restored++
        paths += moment.tree.size
        fs.rmSync(to, { recursive: true })
      }
    } finally {
      await world.close()
      fs.rmSync(home, { recursive: true, force: true })
    }
  }
} finally {
  await pool.close()
}
const seconds = Math.round((performance.now() - startedMs) / 1000)
console.log(
  `seeds from ${first}: ${restored} moments of ${values.histories} histories, ${paths} paths, all as they were; ${seconds} s`,
)
