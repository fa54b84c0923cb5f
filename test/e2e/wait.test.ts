// Section 10: "in sync" is said only when the trees are equal on all members. Many more rounds: npm run soak:wait. The seed
// can be given by SHOAL_SEED.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withWorld } from '../support/daemons.js'
import { waitRounds } from './wait-rounds.js'

const SEED = Number(process.env.SHOAL_SEED ?? 5)

test(`section 10: --wait says "in sync" of equal trees alone, over edits and kills (seed ${SEED})`, async () => {
  await withWorld({}, async (world) => {
    const log: string[] = []
    const onRound = (round: number, what: string): void => void log.push(`round ${round}: ${what}`)
    const tally = await waitRounds(world, { seed: SEED, rounds: 5, sneaks: 1, onRound }).catch(
      (thrown: unknown) => {
        console.error(log.join('\n'))
        throw thrown
      },
    )
    assert.ok(tally.inSync > 0)
  })
})
