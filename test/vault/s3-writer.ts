// Stores into a bucket until it is killed, and says after each call what it was promised: "NAME BYTES" or "NAME removed".
// A pack's content is its name over and over, so that whoever reads it knows what it must be. Arguments: port, prefix, spool.
import { silentLog } from '../../src/ports/log.js'
import { packName, packNumber } from '../../src/vault/pack-storage.js'
import { S3Storage } from '../../src/vault/s3/s3-storage.js'
import { awsBucketAt } from '../support/s3-server.js'

const [port, prefix, spoolDir] = process.argv.slice(2)
const storage = await S3Storage.open({
  bucket: awsBucketAt(Number(port), prefix!),
  spoolDir: spoolDir!,
  log: silentLog,
})
/** A whole number of names. */
const PART = 13 * 300
const sizes = new Map((await storage.list()).map(({ name, bytes }) => [name, bytes]))
const names = [...sizes.keys()].sort()
// Sealed or not is not known after a start; a new pack is right in both cases.
let number = (packNumber(names.at(-1) ?? '') ?? 0) + 1
for (;;) {
  const name = packName(number)
  for (let part = 0; part < 3; part += 1) {
    const at = sizes.get(name) ?? 0
    const grown = at + PART
    await storage.append(name, [Buffer.alloc(PART, name)])
    sizes.set(name, grown)
    process.stdout.write(`${name} ${grown}\n`)
  }
  await storage.seal(name)
  number += 1
  if (sizes.size > 5) {
    const oldest = [...sizes.keys()].sort()[0]!
    await storage.remove(oldest)
    sizes.delete(oldest)
    process.stdout.write(`${oldest} removed\n`)
  }
}
