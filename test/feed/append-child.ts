// A program that appends to its own feed for ever and prints each length the moment append() has resolved, so that a
// test can kill it at any point. Argument: the store's directory.
import { FeedStore } from '../../src/feed/store.js'
import { silentLog } from '../../src/ports/log.js'
import { own } from './helpers.js'

const { store } = await FeedStore.open(process.argv[2]!, { log: silentLog })
const feed = await own(store)
for (;;) {
  const length = await feed.append([Buffer.alloc(2000, feed.length)])
  process.stdout.write(`${length}\n`)
}
