// Nothing acknowledged is lost by kill -9 of the process that writes a vault. More rounds, as many as one likes:
// `npm run soak:vault -- --seed N --rounds N`.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { killRounds } from './kill-rounds.js'

const SEED = Number(process.env.SHOAL_SEED ?? 1)
const ROUNDS = 8

test(`${ROUNDS} rounds of kill -9 lose nothing of a vault (seed ${SEED})`, async () => {
  const log: string[] = []
  const onRound = (round: number, what: string): void => void log.push(`round ${round}: ${what}`)
  const tally = await killRounds({ seed: SEED, rounds: ROUNDS, onRound }).catch((thrown: unknown) => {
    console.error(log.join('\n'))
    throw thrown
  })
  assert.equal(tally.rounds, ROUNDS)
  assert.ok(tally.acknowledged > 0 && tally.pieces > 0)
})
