// A1 and A3 while it matters: directories that turn into links, and files that are edited, in the very moment in which
// something is applied there. Nothing outside the share is touched, and no content vanishes.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, pause, type TestNode, withWorld } from '../support/daemons.js'
import { assertEqualTrees, snapshot } from '../support/trees.js'
import { randomFrom } from './crash-rounds.js'

const SEED = Number(process.env.SHOAL_SEED ?? 3)

test('A1: a parent swapped for a link while files arrive in it leads nothing outside', async () => {
  await withWorld({}, async (world) => {
    const random = randomFrom(SEED)
    const [anna, ben] = (await world.start(['anna', 'ben'], (name) => ({
      grade: name === 'anna' ? 'write' : 'read',
      share: { use_sync_trash: true, overwrite_changes: true },
    }))) as [TestNode, TestNode]
    const outside = path.join(world.root, 'outside')
    const aside = path.join(world.root, 'aside')
    fs.mkdirSync(path.join(outside, 'deep'), { recursive: true })
    for (let i = 0; i < 40; i++) fs.writeFileSync(path.join(outside, `f${i}`), `not the share's ${i}`)
    fs.writeFileSync(path.join(outside, 'deep', 'f0'), "not the share's")
    const before = snapshot(outside)
    for (let i = 0; i < 40; i++) anna.write(`d/f${i}`, `first ${i}`)
    anna.write('d/deep/f0', 'first')
    await converged([anna, ben])
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 40; i++) {
        if (random() < 0.5) anna.write(`d/f${i}`, `round ${round} ${i}`)
        else if (anna.exists(`d/f${i}`)) fs.rmSync(anna.at(`d/f${i}`))
      }
      anna.write('d/deep/f0', `round ${round}`)
      await pause(Math.floor(random() * 120))
      fs.renameSync(ben.at('d'), aside)
      fs.symlinkSync(outside, ben.at('d'))
      await pause(Math.floor(random() * 120))
      fs.rmSync(ben.at('d'), { force: true, recursive: fs.lstatSync(ben.at('d')).isDirectory() })
      fs.renameSync(aside, ben.at('d'))
      assert.deepEqual([...snapshot(outside)], [...before], `round ${round}`)
    }
    anna.write('d/last', 'last')
    await ben.client.scan()
    await converged([anna, ben])
    assert.deepEqual([...snapshot(outside)], [...before])
    assertEqualTrees([anna.dir, ben.dir])
  })
})

test('A3: edits on the receiving disk while a version of the same files arrives: both contents survive', async () => {
  await withWorld({}, async (world) => {
    const random = randomFrom(SEED)
    const nodes = await world.start(['anna', 'ben'], { share: { use_sync_trash: true } })
    const [anna, ben] = nodes as [TestNode, TestNode]
    const files = Array.from({ length: 30 }, (_, i) => `d${i % 3}/f${i}`)
    for (const name of files) anna.write(name, `first of ${name}`)
    await converged(nodes)
    const written = new Set<string>()
    const put = (node: TestNode, name: string, round: number): void => {
      const content = `${node.name}, round ${round}, ${name}, ${'x'.repeat(Math.floor(random() * 2000))}`
      written.add(content)
      // As editors do: over the file, or by a new file renamed over it.
      if (random() < 0.5) node.write(name, content)
      else {
        node.write(`.${path.basename(name)}.tmp`, content)
        fs.renameSync(node.at(`.${path.basename(name)}.tmp`), node.at(name))
      }
    }
    for (let round = 0; round < 8; round++) {
      for (const name of files) put(anna, name, round)
      // Somewhere between the record's arrival and the rename.
      await pause(20 + Math.floor(random() * 180))
      for (const name of files) if (random() < 0.7) put(ben, name, round)
      await converged(nodes)
      assertEqualTrees(nodes.map(({ dir }) => dir))
      const found = new Set(nodes.flatMap(({ dir }) => [...contentsBelow(dir)]))
      const lost = [...written].filter((content) => !found.has(content))
      assert.deepEqual(
        lost.map((content) => content.slice(0, 30)),
        [],
      )
      // The next round's writers replace these themselves.
      written.clear()
    }
  })
})

test('V5: edits on both sides faster than they can be exchanged end in equal trees', async () => {
  await withWorld({}, async (world) => {
    const random = randomFrom(SEED)
    const nodes = await world.start(['anna', 'ben'])
    const files = Array.from({ length: 30 }, (_, i) => `f${i}`)
    for (let round = 0; round < 8; round++) {
      for (const node of nodes) {
        for (const name of files) if (random() < 0.7) node.write(name, `${node.name} ${round} ${name}`)
        await pause(Math.floor(random() * 200))
      }
    }
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
  })
})

/** What every file below a directory holds, archive and all. */
function* contentsBelow(directory: string): Generator<string> {
  for (const entry of fs.readdirSync(directory, { withFileTypes: true })) {
    const full = path.join(directory, entry.name)
    if (entry.isDirectory()) yield* contentsBelow(full)
    else if (entry.isFile()) yield fs.readFileSync(full, 'utf8')
  }
}
