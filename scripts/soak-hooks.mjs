// Batches for a hook with kill -9 in between, for as long as one likes: `node scripts/soak-hooks.mjs [--seed N]
// [--batches N]` after a build. Prints how often the hook ran; the first batch that goes wrong prints the daemons' logs.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, batches: { type: 'string', default: '200' } },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { hookRounds } = await built('e2e/hook-rounds.js')

const startedMs = performance.now()
const rounds = []
try {
  await withWorld({}, async (world) => {
    const tally = await hookRounds(world, {
      seed: Number(values.seed),
      batches: Number(values.batches),
      onRound: (round, what) => rounds.push(`batch ${round}: ${what}`),
    })
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    console.log(
      `seed ${values.seed}: ${tally.quiet} batches without a kill, each once; ${tally.killed} with one, ${tally.again} runs more than one each; none on half a batch; ${seconds} s`,
    )
  })
} catch (thrown) {
  console.error(`seed ${values.seed} failed\n${rounds.slice(-20).join('\n')}`)
  throw thrown
}
