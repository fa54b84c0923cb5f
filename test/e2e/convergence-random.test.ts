// Three writers whose users do anything at any time, with daemons that stop and start in between: afterwards all hold the
// same, and of every content that nobody took away there is a copy. SHOAL_SEED and SHOAL_ROUNDS choose other histories.
import assert from 'node:assert/strict'
import path from 'node:path'
import { test } from 'node:test'
import { converged, pause, withWorld } from '../support/daemons.js'
import { Ledger, Meddler, randomOf } from '../support/meddler.js'
import { assertEqualTrees } from '../support/trees.js'

const SEED = Number(process.env.SHOAL_SEED ?? 1)
const ROUNDS = Number(process.env.SHOAL_ROUNDS ?? 4)
const STEPS = 60

test(`random histories on three devices lose nothing and converge (seed ${SEED})`, async () => {
  await withWorld({}, async (world) => {
    const random = randomOf(SEED)
    const ledger = new Ledger()
    const nodes = await world.start(['a', 'b', 'c'])
    const trashes = nodes.map(({ name }) => path.join(world.root, `trash-${name}`))
    const meddlers = nodes.map(({ dir, name }, i) => {
      return new Meddler({ directory: dir, trash: trashes[i]!, who: name, ledger, random })
    })
    const history: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const away = random(4)
      if (away < 3) await nodes[away]!.stop()
      for (let step = 0; step < STEPS; step++) {
        meddlers[random(3)]!.step()
        // Sometimes the daemons get a moment in between, of a length that lets steps meet any stage of theirs.
        if (random(3) === 0) await pause(random(40))
      }
      if (away < 3) await nodes[away]!.start()
      try {
        await converged(nodes)
        assertEqualTrees(nodes.map(({ dir }) => dir))
        assert.deepEqual(ledger.lost(nodes[0]!.dir, ...trashes), [])
      } catch (thrown) {
        history.push(...meddlers.flatMap(({ operations }) => operations).sort())
        console.error(`round ${round}, away ${away}\n${history.slice(-200).join('\n')}`)
        throw thrown
      }
    }
  })
})
