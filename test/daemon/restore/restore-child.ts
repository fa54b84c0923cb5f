// Restores from a vault in a process of its own and says when the first files are there; to be killed then.
import { parseSecret } from '../../../src/core/secret.js'
import { restore } from '../../../src/daemon/restore/restore.js'

const [vault, to] = process.argv.slice(2) as [string, string]
const chunks: Buffer[] = []
for await (const chunk of process.stdin as AsyncIterable<Buffer>) chunks.push(chunk)
let isTold = false
await restore({
  secret: parseSecret(Buffer.concat(chunks).toString()),
  from: { type: 'vault', vault },
  to,
  signal: new AbortController().signal,
  onProgress: ({ stage, files }) => {
    if (stage !== 'writing' || isTold || files === 0) return
    isTold = true
    process.stdout.write(`${files}\n`)
  },
})
