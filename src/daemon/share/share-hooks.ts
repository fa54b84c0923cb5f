// The hooks (src/hooks) of a share, and what they need to know of it before they run: whether all that is known to be
// published has been read, so that no batch is taken for whole when its end is still to come.
import type { FeedView } from '../../core/record-public.js'
import { Hooks, type HooksOptions } from '../../hooks/hooks.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareContext } from './context.js'
import type { Members } from './members.js'
import type { ProblemBook } from './problems.js'
import type { ShareFeeds } from './share-feeds.js'
import type { ShareOptions } from './share-options.js'

/** After a start with members, peers have so long to come and say what is new. */
const MEET_MS = 10_000
/** What peers say they know and nobody tells is not waited for when nothing has come for so long. */
const STALLED_MS = 30_000

export interface HookGateOptions {
  readonly index: Pick<ShareIndex, 'feeds'>
  readonly members: Pick<Members, 'all'>
  readonly peers: () => Iterable<Pick<SharePeer, 'device' | 'instance'>>
  readonly feeds: () => Pick<ShareFeeds, 'hasTakenOver' | 'isBehind'>
  readonly hasScanned: () => boolean
  readonly haltReason: () => string | undefined
  readonly clockMs?: () => number
}

export class HookGate {
  readonly #o: HookGateOptions
  readonly #clockMs: () => number
  readonly #startedMs: number
  #hasMet = false
  #view = ''
  #viewSinceMs = 0

  constructor(options: HookGateOptions) {
    this.#o = options
    this.#clockMs = options.clockMs ?? (() => performance.now())
    this.#startedMs = this.#clockMs()
  }

  around(): ReturnType<HooksOptions['around']> {
    const { members, hasScanned, haltReason } = this.#o
    const now = this.#clockMs()
    const told = this.#told()
    this.#hasMet ||= members.all().length === 0 || told.length > 0 || now >= this.#startedMs + MEET_MS
    return {
      halted: haltReason(),
      isReady: hasScanned() && this.#hasMet,
      isBehind: this.#isBehind(told, now),
    }
  }

  /** What the peers that are connected say they know, each by its present run. */
  #told(): FeedView[] {
    const states = new Map(this.#o.members.all().map(({ state }) => [state.device, state]))
    return [...this.#o.peers()].flatMap(({ device, instance }) => {
      const state = states.get(device)
      return state === undefined || state.instance !== instance ? [] : [state.feeds]
    })
  }

  #isBehind(told: readonly FeedView[], now: number): boolean {
    const feeds = this.#o.feeds()
    if (feeds.isBehind) return true
    if (told.every((lengths) => feeds.hasTakenOver(lengths))) return false
    const view = JSON.stringify(this.#o.index.feeds.view())
    if (view !== this.#view) {
      this.#view = view
      this.#viewSinceMs = now
    }
    return now < this.#viewSinceMs + STALLED_MS
  }
}

/** What a share has for its hooks. */
export interface HookParts extends Omit<HookGateOptions, 'haltReason'> {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly context: Pick<ShareContext, 'log' | 'haltReason' | 'fail'>
}

/** The hooks of a share; nothing runs before they are started. */
export function makeHooks(options: ShareOptions, prefix: string, parts: HookParts): Hooks {
  const { dir, keys, hooks, hookSlots, database, nowMs } = options
  const { index, context } = parts
  const { log, haltReason, fail } = context
  const gate = new HookGate({ ...parts, haltReason })
  return new Hooks({
    ...hooks,
    dir,
    share: keys.shareId.slice(0, 16),
    database,
    prefix,
    log,
    slots: hookSlots,
    nowMs,
    environment: process.env,
    around: () => gate.around(),
    wanted: () => index.allWanted(),
    tell: tellProblems(parts.problems),
    ended: (hook, outcome) => options.noteEvent({ type: 'hook', hook, outcome }),
    transaction: (body) => index.transaction(body),
    fail,
  })
}

/** Failures of hooks, among the problems of their share. */
function tellProblems(problems: ProblemBook): HooksOptions['tell'] {
  return (hook, problem) => {
    if (problem === undefined) problems.clear('hook', hook)
    else problems.set('hook', hook, 'HOOK_FAILED', `${problem}; see shoal hooks`)
  }
}
