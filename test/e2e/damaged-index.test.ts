// A daemon whose index is damaged: it says which file it is and what to do, and what it says helps.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { converged, type TestNode, withWorld } from '../support/daemons.js'

it('ends with an error that names the file, and with its folder moved away it goes on where it was', async () => {
  await withWorld({}, async (world) => {
    const [anna, ben] = (await world.start(['anna', 'ben'])) as [TestNode, TestNode]
    for (let i = 0; i < 50; i++) anna.write(`f${i}`, `content of ${i}`)
    await converged([anna, ben])
    await ben.stop()
    const index = path.join(ben.storage, 'index')
    const file = path.join(index, 'data.mdb')
    fs.truncateSync(file, Math.floor(fs.statSync(file).size / 2))
    const from = ben.log.length
    const [exit, signal] = await once(ben.spawnDaemon(), 'close')
    assert.deepEqual([exit, signal], [74, null])
    const said = ben.log.slice(from).join('\n')
    assert.ok(said.includes(`${file} ends after`), said)
    assert.match(said, /move the folder .*index away and start the daemon again/)
    assert.doesNotMatch(said, /\n +at /, 'no trace of calls')
    fs.renameSync(index, `${index}.damaged`)
    await ben.start()
    anna.write('more', 'more')
    await converged([anna, ben])
    assert.equal((await ben.status()).shares[0]!.problems.length, 0)
  })
})
