// Attacks "status --wait says 0 only when the trees are equal on all members" for as long as it takes, after a build:
//   npm run soak:wait -- [--seed 1] [--rounds 100] [--seeds 1]
// Each seed is a world of its own: three writers and a reader, random edits, kills and restarts. The first wrong answer
// prints the rounds and the daemons' logs and ends with 1.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    rounds: { type: 'string', default: '100' },
    seeds: { type: 'string', default: '1' },
  },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { waitRounds } = await built('e2e/wait-rounds.js')

for (let seed = Number(values.seed), left = Number(values.seeds); left > 0; seed++, left--) {
  const startedMs = performance.now()
  const rounds = []
  try {
    await withWorld({}, async (world) => {
      const onRound = (round, what) => rounds.push(`round ${round}: ${what}`)
      const { inSync, unreachable, killedInWait } = await waitRounds(world, {
        seed,
        rounds: Number(values.rounds),
        onRound,
      })
      const seconds = Math.round((performance.now() - startedMs) / 1000)
      console.log(
        `seed ${seed}: ${values.rounds} rounds, ${seconds} s; said "in sync" ${inSync} times, all of equal trees; ` +
          `${unreachable} times with a member down; ${killedInWait} kills in the middle of a wait`,
      )
    })
  } catch (thrown) {
    console.error(`seed ${seed} failed\n${rounds.join('\n')}`)
    throw thrown
  }
}
