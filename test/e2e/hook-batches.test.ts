// Hooks of real daemons: once for each batch, at least once after a kill -9, never on half of one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withWorld } from '../support/daemons.js'
import { hookRounds } from './hook-rounds.js'

test('12 batches with kill -9 in between: each is told once, after a crash at least once, and never by halves', () =>
  withWorld({}, async (world) => {
    // The full 200: npm run soak:hooks.
    const tally = await hookRounds(world, { seed: 7, batches: 12 })
    assert.ok(tally.quiet > 2 && tally.killed > 2, JSON.stringify(tally))
  }))
