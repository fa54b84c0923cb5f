// What do large frames cost through Noise, with OpenSSL's part in it (src/ports/quick-stream.ts) and without?
//   npm run bench -- noise [ROUNDS] [MIB]      default 9 1024
// First encrypting and decrypting by themselves, frames of several lengths, the ways by turns; then so many MiB through both ends
// of a connection over loopback, each way twice, by turns, in one process: its processor time is that of both ends.
import { once } from 'node:events'
import net from 'node:net'
import os from 'node:os'
import sodium from 'sodium-native'
import { findQuickStream, type QuickStream } from '../src/ports/quick-stream.js'
import { QuickFrames, quickFrames } from '../src/swarm/quick-frames.js'
import { RoomyNoise } from '../src/swarm/roomy-noise.js'
import { median, table } from './support/report.js'

const STATE_BYTES = 52
const AROUND_BYTES = 17
const KIB = [2, 8, 16, 32, 64, 128, 384, 512] as const
/** So much in each round of each length. */
const ROUND_BYTES = 16 * 2 ** 20
const FRAME_BYTES = 384 * 1024
const TURNS = 4
const TAG = Buffer.alloc(1)

const [roundsText = '9', mibText = '1024'] = process.argv.slice(2)
console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}`)
const start = performance.now()
const stream = findQuickStream()
console.log(`found and tried in ${(performance.now() - start).toFixed(1)} ms\n`)
if (stream === undefined) console.log('not to be had here')
else {
  table([
    ['KiB', 'push: libsodium, us', 'OpenSSL, us', 'pull: libsodium, us', 'OpenSSL, us'],
    ...KIB.map((kib) => [String(kib), ...alone(stream, kib * 1024, Number(roundsText))]),
  ])
  await both(stream, Number(mibText))
}

/** Medians. Encrypted and decrypted by turns, so that the one is given what the other has made. */
function alone(quick: QuickStream, length: number, rounds: number): string[] {
  const times = Math.ceil(ROUND_BYTES / length / 4)
  const sealed = Buffer.allocUnsafeSlow(length + AROUND_BYTES).fill(7)
  const message = sealed.subarray(1, 1 + length)
  const states = [Buffer.alloc(STATE_BYTES, 3), Buffer.alloc(STATE_BYTES, 3)] as const
  const ways: readonly ((push: boolean) => void)[] = [
    (isPush) => {
      if (isPush) sodium.crypto_secretstream_xchacha20poly1305_push(states[0], sealed, message, null, 0)
      else sodium.crypto_secretstream_xchacha20poly1305_pull(states[1], message, TAG, sealed, null)
    },
    (isPush) => {
      if (isPush ? quick.push(states[0], message, sealed) : quick.pull(states[1], message, sealed)) return
      throw new Error('a frame was not taken')
    },
  ]
  const spent: number[][][] = ways.map(() => [[], []])
  for (let round = 0; round < rounds; round++)
    for (const [i, way] of ways.entries()) {
      const sums = [0, 0]
      for (let at = 0; at < 2 * times; at++) {
        const before = performance.now()
        way(at % 2 === 0)
        sums[at % 2]! += performance.now() - before
      }
      for (const [k, sum] of sums.entries()) spent[i]![k]!.push((sum * 1000) / times)
    }
  const of = (i: number, k: number): string => median(spent[i]![k]!).toFixed(1)
  return [of(0, 0), of(1, 0), of(0, 1), of(1, 1)]
}

async function both(quick: QuickStream, mib: number): Promise<void> {
  const frames = Math.ceil((mib * 2 ** 20) / FRAME_BYTES)
  console.log(`\n${mib} MiB in frames of ${FRAME_BYTES / 1024} KiB from one end to the other`)
  const rows = [['', 's', 'CPU s of both ends']]
  for (let turn = 0; turn < TURNS; turn++) {
    const isQuick = turn % 2 === 1
    const { seconds, cpuSeconds } = await through(isQuick ? quick : undefined, frames)
    rows.push([isQuick ? 'OpenSSL' : 'libsodium', seconds.toFixed(2), cpuSeconds.toFixed(2)])
  }
  table(rows)
}

async function through(
  quick: QuickStream | undefined,
  frames: number,
): Promise<{ seconds: number; cpuSeconds: number }> {
  // Of the process's own nothing is used here, so that either way is chosen.
  const chosen = new QuickFrames({ find: () => quick, bytesBefore: 0 })
  quickFrames.serve = (push, pull) => chosen.serve(push, pull)
  const server = net.createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dialled = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1')
  const [accepted] = (await once(server, 'connection')) as [net.Socket]
  const [sender, receiver] = [new RoomyNoise(true, dialled), new RoomyNoise(false, accepted)]
  for (const end of [sender, receiver]) end.on('error', () => undefined)
  await Promise.all([sender.opened, receiver.opened])
  const before = process.cpuUsage()
  const start = performance.now()
  let bytes = 0
  const arrived = new Promise<void>((resolve) => {
    receiver.on('data', (frame: Buffer) => {
      bytes += frame.length
      receiver.giveBack(frame)
      if (bytes === frames * FRAME_BYTES) resolve()
    })
  })
  for (let i = 0; i < frames; i++) if (!sender.write(sender.alloc(FRAME_BYTES))) await once(sender, 'drain')
  await arrived
  const { user, system } = process.cpuUsage(before)
  const seconds = (performance.now() - start) / 1000
  for (const end of [sender, receiver]) end.destroy()
  server.close()
  return { seconds, cpuSeconds: (user + system) / 1e6 }
}
