// Owners that are carried from now on, by an index that is made anew at the same time, as after an upgrade; and that nothing is
// looked at anew without need.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, eventually, withWorld } from '../support/daemons.js'

const isRoot = process.getuid!() === 0
/** A number that no account has, most likely; it is carried as a number then. */
const OWNER = 54_321

test('owners of files that were there come to be stated after the next start', {
  skip: isRoot ? false : 'only root gives files away',
}, async () => {
  await withWorld({}, async (world) => {
    const [a, b] = (await world.start(['a', 'b'], () => ({ share: { owners: 'ignore', acls: false } }))) as [
      (typeof world.nodes)[number],
      (typeof world.nodes)[number],
    ]
    a.write('of-a', 'a')
    b.write('of-b', 'b')
    await converged([a, b])
    fs.chownSync(a.at('of-a'), OWNER, OWNER)
    for (const node of [a, b]) {
      await node.stop()
      fs.rmSync(path.join(node.storage, 'index'), { recursive: true })
      const write = node.writeConfig.bind(node)
      node.writeConfig = () => write({ share: { owners: 'name', acls: true } })
    }
    for (const node of [a, b]) await node.start()
    const before = await converged([a, b])
    for (const node of [a, b]) await node.stop()
    for (const node of [a, b]) await node.start()
    await eventually('the owner is carried', () => fs.statSync(b.at('of-a')).uid === OWNER)
    const after = await converged([a, b])
    assert.deepEqual(
      after.map(({ conflicts }) => conflicts),
      before.map(() => 0),
    )
  })
})

test('what was there before the share is read once, and not again at the next start', {
  skip: fs.existsSync('/proc/self/io') ? false : 'it asks Linux how much was read',
}, async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a')
    const bytes = 96 * 2 ** 20
    fs.mkdirSync(a.dir, { recursive: true })
    fs.writeFileSync(
      a.at('large'),
      crypto
        .getRandomValues(Buffer.alloc(65_536))
        .toString('hex')
        .repeat(bytes / 131_072),
    )
    const read = async (): Promise<number> => {
      await a.start()
      await a.client.settle()
      const io = fs.readFileSync(`/proc/${a.pid}/io`, 'utf8')
      await a.stop()
      return Number(/^rchar: (\d+)/m.exec(io)![1])
    }
    const first = await read()
    assert.ok(first > bytes, `${first} bytes are read at first`)
    const second = await read()
    assert.ok(second < first - bytes / 2, `${second} bytes are read after ${first}`)
  })
})
