// Two nodes in one program, through the package's public API alone: makes a share, lets one node write and the other
// follow with a read secret, and waits until both hold the same. Run it with: node dist/examples/embed/embed.js
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { controlClient, deriveSecret, formatSecret, makeSecret, startNode, waitForSync } from 'shoal'

const scratch = await mkdtemp(join(tmpdir(), 'shoal-embed-'))
try {
  const secret = makeSecret()
  await mkdir(join(scratch, 'notes'))
  await writeFile(join(scratch, 'notes', 'hello.txt'), 'hello from the writer\n')
  const writer = await startNode({
    device_name: 'writer',
    storage_path: join(scratch, 'writer-storage'),
    listen_host: '127.0.0.1',
    shared_folders: [{ secret: formatSecret(secret), dir: join(scratch, 'notes'), search_lan: false }],
  })
  const reader = await startNode({
    device_name: 'reader',
    storage_path: join(scratch, 'reader-storage'),
    listen_host: '127.0.0.1',
    shared_folders: [
      {
        secret: formatSecret(deriveSecret(secret, 'read')),
        dir: join(scratch, 'copy'),
        known_hosts: [`127.0.0.1:${writer.port}`],
        search_lan: false,
      },
    ],
  })
  try {
    const client = controlClient(join(scratch, 'reader-storage'))
    // A node that has met nobody yet is in sync with everyone it knows.
    while ((await client.status()).shares[0]?.members.length === 0)
      await new Promise((go) => setTimeout(go, 50))
    const { verdict } = await waitForSync(client, { timeoutMs: 20_000 })
    console.log(`${verdict.type}: ${(await readFile(join(scratch, 'copy', 'hello.txt'), 'utf8')).trim()}`)
  } finally {
    await reader.stop()
    await writer.stop()
  }
} finally {
  await rm(scratch, { recursive: true })
}
