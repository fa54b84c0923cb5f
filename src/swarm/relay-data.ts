// A connection through a relay: dialled to the relay, joined there by a ticket with the one of another node. From then on it
// is a stream like any other, and as little trusted: Noise finds out who is at its other end.
import type { Socket } from 'node:net'
import { signRelay } from '../core/relay-pass.js'
import { encodeNodeMessage } from '../core/relay-wire.js'
import type { RelayKeys } from '../core/secret.js'
import type { Endpoint } from './endpoint.js'
import { readRelay } from './relay-frames.js'
import type { DialTcp } from './tcp.js'

export interface JoinOptions {
  readonly dial: DialTcp
  readonly endpoint: Endpoint
  readonly keys: RelayKeys
  readonly ticket: Buffer
  /** For all of it. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** The socket, paused, once the other is there as well. Rejects with why not. */
export async function joinAtRelay(options: JoinOptions): Promise<Socket> {
  const { dial, endpoint, keys, ticket, timeoutMs, signal } = options
  const startedMs = performance.now()
  const socket = await dial(endpoint, timeoutMs, signal)
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new Error('the other did not join in time')),
      Math.max(0, timeoutMs - (performance.now() - startedMs)),
    )
    const abort = (): void => void socket.destroy(new Error('stopped'))
    const onError = (error: Error): void => end(() => reject(error))
    const onClose = (): void => end(() => reject(new Error('the relay ended the connection')))
    const end = (settle: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.removeListener('error', onError)
      socket.removeListener('close', onClose)
      settle()
    }
    socket.on('error', onError)
    socket.on('close', onClose)
    signal.addEventListener('abort', abort)
    if (signal.aborted) abort()
    let isWelcome = false
    readRelay(socket, (message) => {
      if (message.type === 'welcome') {
        // One signature, whatever it says.
        if (isWelcome) {
          socket.destroy(new Error('it welcomes twice'))
          return undefined
        }
        isWelcome = true
        const signature = signRelay(keys, 'join', message.challenge, ticket)
        socket.write(encodeNodeMessage({ type: 'join', ticket, pass: keys.pass, signature }))
      } else if (message.type === 'joined') {
        end(() => resolve(socket))
        return 'taken'
      }
      return undefined
    })
  })
}
