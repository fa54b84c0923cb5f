// A vault in a folder, written to until this process is killed. Its history follows from the seed and the round; each
// operation is told to the parent before it begins and when it was acknowledged, on lines of standard output.
//   node kill-child.js FOLDER DATABASE (folder of the index) SEED, the expected state as JSON on standard input
import fs from 'node:fs'
import { text } from 'node:stream/consumers'
import { silentLog } from '../../src/ports/log.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { FolderStorage } from '../../src/vault/folder-storage.js'
import { Vault } from '../../src/vault/vault.js'
import { Random } from '../sim/random.js'
import { apply, Expected, nextOperation, SHARE } from './history.js'
import { KILL_PACK_BYTES } from './kill-rounds.js'

const [folder = '', database = '', seed = '1'] = process.argv.slice(2)
const expected = Expected.parse(await text(process.stdin))
const vault = await Vault.open({
  storage: await FolderStorage.open(folder),
  shareId: SHARE,
  database: openLmdb(database),
  log: silentLog,
  packBytes: KILL_PACK_BYTES,
  reserveBytes: 0,
})
const random = new Random(Number(seed))
for (;;) {
  const operation = nextOperation(random, expected)
  tell('begun', operation)
  expected.begun(operation)
  await apply(vault, operation)
  tell('done', operation)
  expected.done(operation)
}

/** At once: what was told before the kill is with the parent. */
function tell(what: string, operation: unknown): void {
  fs.writeSync(1, `${JSON.stringify({ what, operation })}\n`)
}
