// Kill -9 while a vault is written and compacted, for as long as one likes: `node scripts/soak-vault.mjs [--seed N]
// [--rounds N]` after a build. Prints what was interrupted how often; a round that goes wrong prints those before it.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, rounds: { type: 'string', default: '200' } },
})
const { killRounds } = await import(new URL('../dist/test/vault/kill-rounds.js', import.meta.url))

const startedMs = performance.now()
const rounds = []
try {
  const tally = await killRounds({
    seed: Number(values.seed),
    rounds: Number(values.rounds),
    onRound: (round, what) => rounds.push(`round ${round}: ${what}`),
  })
  const within = Object.entries(tally.within).map(([what, times]) => `${times} within ${what}`)
  const seconds = Math.round((performance.now() - startedMs) / 1000)
  console.log(
    `seed ${values.seed}: ${tally.rounds} kills (${within.join(', ')}), ${tally.acknowledged} operations acknowledged, ${tally.pieces} pieces at the end, none lost; ${seconds} s`,
  )
} catch (thrown) {
  console.error(`seed ${values.seed} failed\n${rounds.slice(-20).join('\n')}`)
  throw thrown
}
