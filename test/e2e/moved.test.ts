// From a relay to a direct way while both ends send: nothing is lost, sent anew from the start, or told as a loss.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, freePort, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const BYTES = 6 << 20

test('relayed to TCP while both ends send', async () => {
  await withWorld({}, async (world) => {
    const port = await freePort()
    const relay = world.spawn(['relay', '--listen', `127.0.0.1:${port}`, '--open', '--log-level', 'warn'])
    await once(relay.stdout!, 'data')
    // Through the relay the limit holds, and the bulk is still under way when they move; near by there is none.
    const config = { relays: [`127.0.0.1:${port}`], upload_limit: 1_000 }
    const [a, b] = (await world.start(['a', 'b'], { knows: [], config })) as [TestNode, TestNode]
    const way = async (): Promise<string> => (await a.client.peers()).map(({ transport }) => transport).join()
    await eventually('they are connected', async () => (await way()) === 'relayed')
    const before = a.log.length
    for (const node of [a, b])
      for (let i = 0; i < 3; i++) node.write(`${node.name}/${i}`, randomBytes(BYTES / 3))
    const received = async (node: TestNode): Promise<number> =>
      (await node.client.peers()).reduce((sum, peer) => sum + peer.receivedBytes, 0)
    await eventually(
      'both have some of it',
      async () => (await received(a)) > 500_000 && (await received(b)) > 500_000,
    )
    assert.ok(![0, 1, 2].every((i) => fs.existsSync(b.at(`a/${i}`))), 'it is still under way')
    a.writeConfig({ share: { known_hosts: [`127.0.0.1:${b.port}`] } })
    process.kill(a.pid, 'SIGHUP')
    await eventually('they have moved', async () => (await way()) === 'tcp')
    await converged([a, b])
    assertEqualTrees([a.dir, b.dir])
    const told = a.log.slice(before).filter((line) => line.includes('"peer":"b"'))
    assert.deepEqual(
      told.map((line) => (JSON.parse(line) as { msg: string }).msg),
      ['peer moved to another connection'],
    )
  })
})
