// How exact is a limit on the wire? One daemon sends a file to another over loopback through a forwarder that counts, and
// the worst ten seconds of a line that was never idle are told, beside the limit.
//   npm run bench -- limits [KB_PER_SECOND] [SECONDS] [upload|download|share]      default 200 40 upload
// `share`: the upload limit of the folder. Every window of ten seconds begins two seconds after the first byte of content.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { formatSecret, writeSecretOf } from '../src/core/secret.js'
import { BenchNode, freePort } from './support/node.js'

const WINDOW_MS = 10_000
const SLOT_MS = 100
/** Where the forwarder dials from: nothing listens there, so that the daemons find no way around it. */
const FROM = '127.0.0.5'

const [rateText = '200', secondsText = '40', kind = 'upload'] = process.argv.slice(2)
const rate = Number(rateText)
const seconds = Number(secondsText)
const folder = fs.mkdtempSync(path.join(process.env.BENCH_DIR ?? os.tmpdir(), 'shoal-bench-'))
const slots: number[] = []
const startMs = performance.now()
const sockets = new Set<net.Socket>()

const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 7)))
const [portA, portB, portForward] = [await freePort(), await freePort(), await freePort()]
const forwarder = net.createServer((near) => {
  const far = net.connect({ host: '127.0.0.1', port: portA, localAddress: FROM })
  for (const socket of [near, far]) {
    sockets.add(socket)
    socket.on('error', () => undefined)
  }
  near.pipe(far)
  far.pipe(near)
  far.on('data', (chunk: Buffer) => {
    const slot = Math.floor((performance.now() - startMs) / SLOT_MS)
    slots[slot] = (slots[slot] ?? 0) + chunk.length
  })
})
await new Promise<void>((resolve) => forwarder.listen(portForward, '127.0.0.1', resolve))

const limited = { rate_limit_local_peers: true }
const a = new BenchNode({
  ...{ folder, name: 'a', dir: path.join(folder, 'a'), secret, port: portA, knownHosts: [] },
  config: { ...limited, ...(kind === 'upload' && { upload_limit: rate }) },
  share: kind === 'share' ? { upload_limit: rate } : {},
})
const b = new BenchNode({
  ...{ folder, name: 'b', dir: path.join(folder, 'b'), secret, port: portB },
  knownHosts: [`127.0.0.1:${portForward}`],
  config: { ...limited, ...(kind === 'download' && { download_limit: rate }) },
})
fs.mkdirSync(path.join(folder, 'a'))
fs.writeFileSync(path.join(folder, 'a', 'bulk'), randomBytes(Math.ceil(rate * 1024 * (seconds + 15))))
try {
  a.start()
  await a.until((share) => share.state === 'idle' && share.files === 1, 60_000)
  b.start()
  await b.until((share) => share.receivedBytes > 0, 60_000)
  const first = Math.floor((performance.now() - startMs + 2000) / SLOT_MS)
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const windows: number[] = []
  const span = WINDOW_MS / SLOT_MS
  for (let at = first; at + span <= first + (seconds - 3) * 10; at++) {
    let bytes = 0
    for (let slot = at; slot < at + span; slot++) bytes += slots[slot] ?? 0
    windows.push(bytes / 1024 / (WINDOW_MS / 1000))
  }
  const off = (kb: number): string => `${kb.toFixed(2)} kB/s, ${(100 * (kb / rate - 1)).toFixed(2)} %`
  const mean = windows.reduce((sum, each) => sum + each, 0) / windows.length
  console.log(`${kind} limit ${rate} kB/s, ${windows.length} windows of 10 s`)
  console.log(`least ${off(Math.min(...windows))}\nmost  ${off(Math.max(...windows))}\nmean  ${off(mean)}`)
} finally {
  for (const socket of sockets) socket.destroy()
  forwarder.close()
  await Promise.all([a.stop(), b.stop()])
  fs.rmSync(folder, { recursive: true, force: true })
}
