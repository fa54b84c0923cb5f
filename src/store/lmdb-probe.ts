// A process of its own: reads an index from one end to the other, and ends with PROBED_WELL. Where pages are missing the system ends it by a
// signal (SIGBUS), or LMDB does; that is why nobody else does this.
import { open } from 'lmdb'

const [, , directory = ''] = process.argv
const root = open({ path: directory, pageSize: 8192, maxDbs: 2048, keyEncoding: 'binary', readOnly: true })
let bytes = 0
for (const name of root.getKeys({ snapshot: true })) {
  const table = root.openDB<Uint8Array, Buffer>({
    name: String(name),
    keyEncoding: 'binary',
    encoding: 'binary',
  })
  for (const { key, value } of table.getRange({ snapshot: true })) bytes += key.length + value.length
}
process.stdout.write(`${bytes}\n`)
void root.close()
