// Servers that are lost and brought back from a blind node, round after round, for as long as one likes:
// `node scripts/soak-backup.mjs [--seed N] [--rounds N] [--seeds N]` after a build. Each seed is a world of its own; the first
// that fails prints its rounds and its daemons' logs, and ends it all. One round with edits of its own is test/e2e/restore-blind.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '5' },
    seeds: { type: 'string', default: '1' },
  },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { backupRounds } = await built('e2e/backup-rounds.js')

for (let seed = Number(values.seed), left = Number(values.seeds); left > 0; seed++, left--) {
  const startedMs = performance.now()
  const rounds = []
  try {
    let tally
    await withWorld({}, async (world) => {
      const onRound = (round, what) => rounds.push(`round ${round}: ${what}`)
      tally = await backupRounds(world, { seed, rounds: Number(values.rounds), onRound })
    })
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    console.log(
      `seed ${seed}: ${values.rounds} times all servers lost, ${tally.kills} kills before; ${tally.restored} restores of ${tally.paths} paths, all as they were; ${seconds} s`,
    )
  } catch (thrown) {
    console.error(`seed ${seed} failed\n${rounds.join('\n')}`)
    throw thrown
  }
}
