// A4: seeded rounds of kill -9 during scan, transfer and apply lose nothing and invent nothing. The seed can be given by
// SHOAL_SEED; fifty rounds, and more, run with `npm run soak`.
import { test } from 'node:test'
import { withWorld } from '../support/daemons.js'
import { crashRounds } from './crash-rounds.js'

const SEED = Number(process.env.SHOAL_SEED ?? 2)

const ROUNDS = 6

test(`A4: ${ROUNDS} rounds of kill -9 end in equal trees, nothing lost, nothing invented (seed ${SEED})`, async () => {
  await withWorld({}, async (world) => {
    const log: string[] = []
    const onRound = (round: number, what: string): void => void log.push(`round ${round}: ${what}`)
    await crashRounds(world, { seed: SEED, rounds: ROUNDS, checkEvery: 3, onRound }).catch(
      (thrown: unknown) => {
        console.error(log.join('\n'))
        throw thrown
      },
    )
  })
})
