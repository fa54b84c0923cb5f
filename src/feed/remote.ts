// Another writer's feed: followed, kept, re-served. Its length grows as soon as a peer proves a longer one; its blocks
// are fetched by read(). After a conflict Hypercore has closed it and no branch is trusted any more; a truncation is
// refused and the feed goes on as it was. An own feed that has forked, or whose storage was moved, is followed as a
// remote feed from then on: peers may hold blocks of it that this device has lost.
import { Feed, type ForkReason } from './feed.js'

export class RemoteFeed extends Feed {
  protected override mayReplicate(reason: ForkReason): boolean {
    return reason !== 'conflict'
  }
}
