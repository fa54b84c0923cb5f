// A failure that syncfs told to one asker is not forgotten by the others of the process.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { isSyncedSurely, syncDoubts } from '../../src/folder/sync-doubt.js'

test('A4: once a sync of a file system has failed, none is believed, and others are', () => {
  let asked = 0
  const says = (isSynced: boolean | undefined) => () => {
    asked++
    return isSynced
  }
  assert.equal(isSyncedSurely(1, says(true)), true)
  assert.equal(
    isSyncedSurely(1, says(undefined)),
    undefined,
    'that it cannot be asked says nothing of the disk',
  )
  assert.equal(isSyncedSurely(1, says(true)), true)
  assert.equal(isSyncedSurely(1, says(false)), false)
  assert.equal(isSyncedSurely(1, says(true)), false, 'whose file it was, nobody knows')
  assert.equal(asked, 4, 'it is not even asked')
  assert.equal(isSyncedSurely(2, says(true)), true)
})

test('A4: nor is one that ended well while another thread heard of a failure', async () => {
  const module = JSON.stringify(new URL('../../src/folder/sync-doubt.js', import.meta.url).href)
  const failing = `
    const { workerData, parentPort } = require('node:worker_threads')
    import(${module}).then(({ shareSyncDoubts, isSyncedSurely }) => {
      shareSyncDoubts(workerData)
      parentPort.postMessage([isSyncedSurely(3, () => false), isSyncedSurely(4, () => true)])
    })`
  const worker = new Worker(failing, { eval: true, workerData: syncDoubts() })
  const [said] = await once(worker, 'message')
  assert.deepEqual(said, [false, true])
  await worker.terminate()
  assert.equal(
    isSyncedSurely(3, () => true),
    false,
  )
  // Heard of by another thread between this sync and its end.
  assert.equal(
    isSyncedSurely(5, () => {
      isSyncedSurely(5, () => false)
      return true
    }),
    false,
  )
  assert.equal(
    isSyncedSurely(4, () => true),
    true,
  )
})
