// Listening before the first look. An index that may be behind its disk (made anew under a directory with content, or
// after a new epoch) must learn what the first peers know before it judges the disk: a version that everybody knows would
// else be announced as a new one, and conflict with what came after it (A4). And a writer with members that it knew
// before waits a moment for one of them before it appends (F4).
import type { DeviceId } from '../../core/ids.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { BlindMembers } from '../blind/blind-members.js'
import type { Members } from './members.js'
import type { ShareFeeds } from './share-feeds.js'

/** A writer with members that it knew before waits this long for one of them before it appends (F4). */
const MEET_BEFORE_APPEND_MS = 1500
/** An index that may be behind its disk waits this long for a member to tell, and this long while nothing more comes. */
const HEAR_MS = 1500
const HEAR_STALLED_MS = 5000
const HEAR_POLL_MS = 20

export interface HearingOptions {
  readonly index: Pick<ShareIndex, 'feeds'>
  readonly members: Pick<Members, 'all'>
  readonly blindMembers: Pick<BlindMembers, 'all'>
  readonly feeds: () => Pick<ShareFeeds, 'hasTakenOver'>
  readonly isStopped: () => boolean
}

export class Hearing {
  /** Resolves when a peer has told its states, or nobody came in time: then it is safe to append (F4). */
  readonly met: Promise<void>
  readonly #o: HearingOptions
  /** Peers whose states have come since the start. */
  readonly #heard = new Set<DeviceId>()
  #metAnybody: () => void = () => undefined

  constructor(options: HearingOptions) {
    this.#o = options
    this.met = new Promise<void>((resolve) => {
      this.#metAnybody = resolve
      if (options.members.all().length + options.blindMembers.all().length === 0) resolve()
      else setTimeout(resolve, MEET_BEFORE_APPEND_MS).unref()
    })
  }

  /** A peer has told its states. */
  note(device: DeviceId): void {
    this.#heard.add(device)
    this.#metAnybody()
  }

  /** Resolves when what the first peers know is taken over here, or nobody is there to tell. */
  async listen(): Promise<void> {
    const { index, members, blindMembers, feeds, isStopped } = this.#o
    let untilMs = performance.now() + HEAR_MS
    let progress = ''
    while (!isStopped() && performance.now() < untilMs) {
      const all = [...members.all(), ...blindMembers.all()]
      const states = all.filter(({ state }) => this.#heard.has(state.device))
      if (states.length > 0 && states.every(({ state }) => feeds().hasTakenOver(state.feeds))) return
      const now = JSON.stringify(index.feeds.view())
      if (states.length > 0 && now !== progress) {
        progress = now
        untilMs = performance.now() + HEAR_STALLED_MS
      }
      await new Promise((resolve) => setTimeout(resolve, HEAR_POLL_MS))
    }
  }
}
