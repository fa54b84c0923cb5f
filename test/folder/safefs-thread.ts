// A thread that opens directories in one call and closes them, for safefs.test.ts; tells what Node has warned of.
import { parentPort, workerData } from 'node:worker_threads'
import { SafeRoot } from '../../src/folder/safefs.js'
import { beneath } from '../../src/ports/openat2.js'

const { share } = workerData as { readonly share: string }
const warnings: string[] = []
process.on('warning', ({ message }) => warnings.push(message))

let reached = 0
for (let i = 0; i < 100; i++) {
  const root = new SafeRoot(share, { beneath })
  if (root.directory('a/b') >= 0) reached++
  root.close()
}
// Warnings come in a later turn.
setImmediate(() => parentPort!.postMessage({ warnings, reached }))
