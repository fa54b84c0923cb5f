// The hooks of one running share: each hears of every change and of every path that is wanted, and runs when its batch is
// complete (hook.ts). A hook is known by what it is for and what it runs: with other times it is the same one, and what is
// pending for one that is gone is for those that match it now.
import { createHash } from 'node:crypto'
import type { ChangedBy, HookSpec } from '../core/hook.js'
import type { RelPath } from '../core/path.js'
import type { Database } from '../store/tables.js'
import { Hook, type HookHost, type HookView } from './hook.js'
import { HOOK_ID_BYTES, HookTable } from './hook-table.js'

export interface HooksOptions extends HookHost {
  readonly database: Database
  readonly prefix: string
  readonly specs: readonly HookSpec[]
  /** Hooks of the shares before this one in the configuration. */
  readonly before: number
}

export class Hooks {
  readonly #o: HooksOptions
  #table: HookTable | undefined
  readonly #hooks = new Map<string, Hook>()
  #isStarted = false
  #stopping: Promise<void> | undefined
  /** Hooks that the configuration has no longer, being ended. */
  readonly #retiring = new Set<Promise<void>>()

  constructor(options: HooksOptions) {
    this.#o = options
    this.#set(options.specs, options.before)
  }

  /** Runs hooks from now on. */
  start(): void {
    this.#isStarted = true
    for (const hook of this.#hooks.values()) hook.start()
  }

  /** Other hooks, from now on. */
  set(specs: readonly HookSpec[], before: number): void {
    if (this.#stopping === undefined) this.#set(specs, before)
  }

  /** A path was changed on this disk. Call inside the transaction that notes the change. */
  noteChange(path: RelPath, by: ChangedBy): void {
    for (const hook of this.#hooks.values()) hook.noteChange(path, by)
  }

  /** Paths that count as changed, whatever the index says of them: a release was switched, for one. */
  noteChanged(paths: readonly RelPath[]): void {
    if (this.#hooks.size === 0) return
    this.#o.transaction(() => {
      for (const path of paths) this.noteChange(path, 'share')
    })
  }

  /** A path has come to be wanted, or is no longer. */
  noteWanted(path: RelPath, isWanted: boolean): void {
    for (const hook of this.#hooks.values()) hook.noteWanted(path, isWanted)
  }

  /** What is around has changed: feeds, peers, a halt. */
  wake(): void {
    for (const hook of this.#hooks.values()) hook.wakeSoon()
  }

  views(): HookView[] {
    return [...this.#hooks.values()].map((hook) => hook.view()).sort((a, b) => a.number - b.number)
  }

  /** Runs what is pending, of all hooks or of one by its number; resolves when that is done or has to wait. */
  async ask(number?: number): Promise<void> {
    const asked = [...this.#hooks.values()].filter((hook) => number === undefined || hook.number === number)
    await Promise.all(asked.map((hook) => hook.ask()))
  }

  /** Resolves when nothing runs any more. */
  stop(): Promise<void> {
    this.#stopping ??= Promise.all([
      ...[...this.#hooks.values()].map((hook) => hook.stop()),
      ...this.#retiring,
    ]).then(() => undefined)
    return this.#stopping
  }

  #set(specs: readonly HookSpec[], before: number): void {
    const keys = keysOf(specs)
    const gone = [...this.#hooks].filter(([key]) => !keys.includes(key))
    for (const [key] of gone) this.#hooks.delete(key)
    const isFirst = this.#table === undefined
    if (isFirst && specs.length === 0) return
    this.#table ??= new HookTable(this.#o.database, this.#o.prefix)
    const fresh: Hook[] = []
    for (const [at, spec] of specs.entries()) {
      const known = this.#hooks.get(keys[at]!)
      if (known !== undefined) known.adjust(spec, before + at + 1, at)
      else {
        const hook = new Hook(this.#o, this.#table.rows(idOf(keys[at]!)), spec, before + at + 1, at)
        this.#hooks.set(keys[at]!, hook)
        fresh.push(hook)
      }
    }
    if (fresh.length > 0)
      for (const path of this.#o.wanted()) for (const hook of fresh) hook.noteWanted(path, true)
    if (isFirst) this.#takeOverUnknown()
    for (const [, hook] of gone) this.#retire(hook)
    if (this.#isStarted) for (const hook of fresh) hook.start()
  }

  /** Rows of hooks that an earlier configuration had. */
  #takeOverUnknown(): void {
    const known = new Set([...this.#hooks.keys()].map((key) => idOf(key).toString('hex')))
    for (const id of this.#table!.ids()) {
      if (known.has(id.toString('hex'))) continue
      const rows = this.#table!.rows(id)
      this.#takeOver(rows.pending(), () => rows.clear())
    }
  }

  #retire(hook: Hook): void {
    const ended: Promise<void> = hook
      .stop()
      .then(() => this.#takeOver(hook.pending(), () => hook.clear()))
      .catch((thrown: unknown) => this.#o.fail(thrown))
      .finally(() => this.#retiring.delete(ended))
    this.#retiring.add(ended)
  }

  /** Failing that, a hook whose mistake was put right would never hear of what it failed on. */
  #takeOver(pending: Iterable<RelPath>, clear: () => void): void {
    this.#o.transaction(() => {
      for (const path of pending) this.noteChange(path, 'share')
      clear()
    })
  }
}

/** What makes a hook the one it is; of equal ones, each has its own. */
function keysOf(specs: readonly HookSpec[]): string[] {
  const seen = new Map<string, number>()
  return specs.map(({ match, run, ownChanges, cwd, env }) => {
    const text = JSON.stringify([match, run, ownChanges, cwd ?? '', env])
    const times = seen.get(text) ?? 0
    seen.set(text, times + 1)
    return `${text}${times}`
  })
}

function idOf(key: string): Buffer {
  return createHash('sha256').update(key).digest().subarray(0, HOOK_ID_BYTES)
}
