// Releases under fire for as long as it takes: a writer makes a release a round, some nodes follow, one of them is killed at a
// random moment of each round, every fifth round is rolled back and forth, and a process beside each node reads what it
// shows without a pause. At the first file of another version than the release says, or a node that does not come round, it
// prints what happened and ends with 1. At the end: what the readers did, and how long rolling back took.
//   npm run soak:releases -- [--files 20000] [--readers 5] [--rounds 100] [--seed 1] [--base DIRECTORY]
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    readers: { type: 'string', default: '5' },
    rounds: { type: 'string', default: '100' },
    seed: { type: 'string', default: String(Date.now() % 100_000) },
    /** Seconds that a round may take until all nodes show its release. */
    limit: { type: 'string', default: '600' },
    base: { type: 'string' },
  },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { releaseRounds } = await built('e2e/release-rounds.js')

const count = (name) => {
  const value = Number(values[name])
  if (Number.isInteger(value) && value > 0) return value
  console.error(`--${name}: expected a whole number above 0`)
  process.exit(64)
}
const [files, followers, rounds, limit] = ['files', 'readers', 'rounds', 'limit'].map(count)
const seed = Number(values.seed)
const startedMs = performance.now()
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`
console.log(`seed ${seed}: ${rounds} rounds, ${files} files, ${followers} readers`)
await withWorld(
  { logLevel: 'info', ...(values.base === undefined ? {} : { base: values.base }) },
  async (world) => {
    const { readers, rollbackMs } = await releaseRounds(world, {
      ...{ seed, rounds, files, followers, kills: true, roundMs: limit * 1000 },
      onRound: ({ round, what, tookMs, rollbackMs: back }) =>
        console.log(
          `round ${round}: ${what}, all show it after ${seconds(tookMs)}${back === undefined ? '' : `, rolled back in ${seconds(back)}`}`,
        ),
    })
    const looks = readers.reduce((sum, reader) => sum + reader.looks, 0)
    for (const [i, reader] of readers.entries())
      console.log(`reader ${i}: ${reader.looks} looks, ${reader.switches} switches seen, no mixture`)
    const sorted = [...rollbackMs].sort((a, b) => a - b)
    const total = (performance.now() - startedMs) / 1000
    console.log(`${looks} looks in ${Math.round(total)} s (${Math.round(looks / total)} a second)`)
    if (sorted.length > 0)
      console.log(
        `rolled back ${sorted.length} times: median ${seconds(sorted[sorted.length >> 1])}, most ${seconds(sorted.at(-1))}`,
      )
  },
)
