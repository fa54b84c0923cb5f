// A process that may open no more files: nothing is taken for deleted, nothing halts or ends, and all goes on by itself.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, type TestNode, withWorld } from '../support/daemons.js'
import { descriptorsOf, limitDescriptors, noLimits } from '../support/descriptors.js'

const WAITING = /the system has nothing left to work with, waiting/
const FILES = 300

function namesIn(node: TestNode): string[] {
  const entries = fs.readdirSync(node.dir, { recursive: true }) as string[]
  return entries.filter((name) => !name.startsWith('.shoal')).sort()
}

for (const spare of [-40, 0])
  test(
    `A5: with ${spare} descriptors to spare nothing is announced as deleted, and all goes on when there are more`,
    {
      skip: noLimits,
    },
    () =>
      withWorld({ logLevel: 'info' }, async (world) => {
        const [a, b] = (await world.start(['a', 'b'])) as [TestNode, TestNode]
        for (let i = 0; i < FILES; i++) a.write(`d${i % 20}/f${i}`, `${i}`)
        await converged([a, b])
        const lengths = (await b.share()).head

        limitDescriptors(a.pid, descriptorsOf(a.pid) + spare)
        const all = a.client.scan().catch(() => undefined)
        for (let i = 0; i < 40; i++) b.write(`new${i % 5}/${i}`, `${i}`)
        await a.logged(WAITING)
        a.write('d1/f1', 'changed')
        a.remove('d2')
        fs.renameSync(a.at('d3'), a.at('moved'))
        // What b had before is all there still: nothing that could not be read was taken for gone.
        const before = namesIn(b).filter((name) => /^d\d+\/f/.test(name) && !/^d[23]\//.test(name))
        assert.equal(before.length, FILES - 30)
        assert.ok(a.isRunning)
        assert.ok(lengths.length > 0)

        limitDescriptors(a.pid, 4096)
        await all
        await converged([a, b])
        assert.deepEqual(namesIn(a), namesIn(b))
        assert.equal(b.read('d1/f1'), 'changed')
        assert.deepEqual([b.exists('d2'), b.exists('d3'), b.exists('moved/f3')], [false, false, true])
        assert.equal((await a.share()).haltReason, null)
        assert.equal(
          a.log.filter((line) => WAITING.test(line)).length,
          1,
          'told once, and not for every path',
        )
        await eventually('no problem is left', async () => (await a.share()).problems.length === 0)
      }),
  )
