// Frees a buffer's memory at once. What comes from a socket is new memory for each read, 64 KB at a time; as garbage it counts
// until a collection, V8 begins one for each 64 MB of it, and most of what those look at is alive (docs/decisions/0073).
import { MessageChannel } from 'node:worker_threads'

/** Closed: what is sent there is taken from the sender, and dropped. */
const { port1: nowhere } = new MessageChannel()
nowhere.close()

/** Nobody may look at it, nor at a view of it, any more. What shares its memory with others is left to the collector. */
export function letGo(buffer: Buffer): void {
  const { buffer: memory, byteLength } = buffer
  if (memory instanceof ArrayBuffer && memory.byteLength === byteLength)
    nowhere.postMessage(undefined, [memory])
}
