// The frames of a relay out of a socket, until the one that the caller is content with.
import type { Socket } from 'node:net'
import { decodeRelayMessage, nextFrame, RELAY_VERSION, type RelayMessage } from '../core/relay-wire.js'

/**
 * Hands every message to `onMessage` until that answers 'taken': the socket is then paused, with all that came after put
 * back. What is no message of a relay, and one of another version, ends the socket with an error.
 */
export function readRelay(socket: Socket, onMessage: (message: RelayMessage) => 'taken' | undefined): void {
  let rest: Buffer = Buffer.alloc(0)
  const fail = (why: string): void => {
    socket.removeListener('data', onData)
    socket.destroy(new Error(why))
  }
  const onData = (chunk: Buffer): void => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
    while (!socket.destroyed) {
      const next = nextFrame(bytes)
      if (next.type === 'violation') return fail(`it does not speak as a relay does: ${next.detail}`)
      if (next.value === undefined) break
      const message = decodeRelayMessage(next.value.frame)
      if (message.type === 'violation') return fail(`it does not speak as a relay does: ${message.detail}`)
      bytes = bytes.subarray(next.value.took)
      if (message.value === undefined) continue
      if (message.value.type === 'welcome' && message.value.version !== RELAY_VERSION)
        return fail(`it is a relay of version ${message.value.version}, not ${RELAY_VERSION}`)
      if (onMessage(message.value) !== 'taken') continue
      socket.removeListener('data', onData)
      socket.pause()
      if (bytes.length > 0) socket.unshift(bytes)
      return
    }
    rest = Buffer.from(bytes)
  }
  socket.on('data', onData)
}
