// A device with one invite that is killed as it is being used: argv is the file of invites, and the moment: 'before' the
// new state is written, or 'after' it, and so before the secret is sent. Says its port and invite on standard output.
import fs from 'node:fs'
import { deviceKeysOf } from '../../src/core/device.js'
import { writeSecretOf } from '../../src/core/secret.js'
import { readIfThere, writeDurably } from '../../src/daemon/durable-file.js'
import { InviteHost } from '../../src/invite/host.js'
import { silentLog } from '../../src/ports/log.js'
import { Swarm } from '../../src/swarm/swarm.js'

const [file, moment] = process.argv.slice(2) as [string, 'before' | 'after']
const device = deviceKeysOf(Buffer.alloc(32, 1))
const host = new InviteHost({
  device: device.device,
  deviceName: 'nas',
  shares: [
    { secret: writeSecretOf(Buffer.alloc(32, 2)), name: 'photos', ways: { searchLan: false, useDht: false } },
  ],
  file: {
    path: file,
    read: () => readIfThere(file),
    write: (text) => {
      const isUse = text.includes('"used"')
      if (isUse && moment === 'before') process.kill(process.pid, 'SIGKILL')
      writeDurably(file, text)
      if (isUse) process.kill(process.pid, 'SIGKILL')
    },
  },
  log: silentLog,
  nowMs: Date.now,
})
const swarm = new Swarm({
  device,
  deviceName: 'nas',
  listeningPort: 0,
  listenHost: '127.0.0.1',
  interfaces: ['none'],
  door: host,
  log: silentLog,
})
const { port } = await swarm.start()
host.start(swarm, false)
const { text } = host.create(0, 'read', 86_400_000)
fs.writeSync(1, `${JSON.stringify({ port, text })}\n`)
