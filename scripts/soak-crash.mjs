// Rounds of kill -9 for as long as one likes (A4): `node scripts/soak-crash.mjs [--seed N] [--rounds N] [--seeds N]` after
// a build. Each seed is a world of its own; the first that fails prints its rounds and its daemons' logs, and ends it all.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    rounds: { type: 'string', default: '50' },
    seeds: { type: 'string', default: '1' },
  },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { crashRounds } = await built('e2e/crash-rounds.js')

for (let seed = Number(values.seed), left = Number(values.seeds); left > 0; seed++, left--) {
  const startedMs = performance.now()
  const rounds = []
  try {
    await withWorld({}, (world) =>
      crashRounds(world, {
        seed,
        rounds: Number(values.rounds),
        checkEvery: 10,
        onRound: (round, what) => rounds.push(`round ${round}: ${what}`),
      }),
    )
  } catch (thrown) {
    console.error(`seed ${seed} failed\n${rounds.join('\n')}`)
    throw thrown
  }
  console.log(
    `seed ${seed}: ${values.rounds} rounds, ${Math.round((performance.now() - startedMs) / 1000)} s`,
  )
}
