// A daemon that dies between announcing files and noting that it has: at its next start, the own feed alone tells what the
// disk held (A4). What the user deleted meanwhile must be announced as deleted, or every node would want it for ever.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { describe, it } from 'node:test'
import { keysOf } from '../../src/core/secret.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { converged, type TestNode, withWorld } from '../support/daemons.js'

/** The index of a stopped node as it stands. */
function saveIndex(node: TestNode): void {
  fs.cpSync(path.join(node.storage, 'index'), savedAt(node), { recursive: true })
}

/** Puts the saved index back: all that the feed said since is its tail now. */
function restoreIndex(node: TestNode): void {
  fs.rmSync(path.join(node.storage, 'index'), { recursive: true })
  fs.cpSync(savedAt(node), path.join(node.storage, 'index'), { recursive: true })
}

function savedAt(node: TestNode): string {
  return `${node.storage}-saved`
}

/** As if the first look at the whole disk had never come to its end. */
async function forgetFirstLook(node: TestNode): Promise<void> {
  const database = openLmdb(path.join(node.storage, 'index'))
  const intents = database.table(`${keysOf(node.world.secret).shareId.slice(0, 16)}:intents`)
  const key = Buffer.from('scanned')
  assert.notEqual(intents.get(key), undefined)
  database.transaction(() => intents.remove(key))
  await database.close()
}

describe('A4: a file that is deleted while the daemon is dead, right after it was announced', () => {
  for (const isScanned of [true, false]) {
    it(`is deleted everywhere${isScanned ? '' : ', also when the first look had not ended'}`, async () => {
      await withWorld({}, async (world) => {
        const anna = await world.node('anna')
        const ben = await world.node('ben')
        await anna.start()
        await anna.client.settle()
        await anna.stop()
        if (!isScanned) await forgetFirstLook(anna)
        saveIndex(anna)
        await anna.start()
        anna.write('d/kept', 'kept')
        anna.write('d/gone', 'gone')
        await anna.client.settle()
        await anna.kill()
        restoreIndex(anna)
        anna.remove('d/gone')
        await Promise.all([anna.start(), ben.start()])
        const [report] = await converged([anna, ben])
        assert.equal(report!.conflicts, 0)
        for (const node of [anna, ben]) {
          assert.equal(node.read('d/kept'), 'kept')
          assert.equal(node.exists('d/gone'), false)
        }
      })
    })
  }
})
