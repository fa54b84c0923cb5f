// What a feed is called on the wire.
import Hypercore from 'hypercore'

/** What the two ends of a connection call a feed before either has proved that it knows the key. 32 bytes. */
export function discoveryKeyOf(feedKey: Buffer): Buffer {
  return Hypercore.discoveryKey(feedKey)
}
