// What one TCP connection carries over a line, without Shoal.
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Host } from './lab.js'

const PROCESS = fileURLToPath(new URL('bare-tcp-process.js', import.meta.url))

/** Bits a second that so many bytes take from one host to the other, counted as meetings count theirs. */
export async function bareTcp(from: Host, to: Host, bytes: number): Promise<number> {
  const sender = from.spawn(process.execPath, [PROCESS, 'send', from.address(), String(bytes)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    await once(sender.stdout!, 'data')
    const receiver = to.spawn(process.execPath, [PROCESS, 'receive', from.address()], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    receiver.stdout!.setEncoding('utf8').on('data', (part: string) => {
      text += part
    })
    await once(receiver, 'close')
    const bitsPerSecond = Number.parseFloat(text)
    if (Number.isNaN(bitsPerSecond)) throw new Error('a bare TCP connection did not carry it')
    return bitsPerSecond
  } finally {
    sender.kill()
  }
}
