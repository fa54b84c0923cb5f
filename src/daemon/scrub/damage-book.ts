// Files of this disk that are damaged now: nobody changed them as far as their stat tells, and what they hold is not what it
// was. Noted in the index as a change that is always undone (store/due.ts): so the pieces that are lost are not served any
// more and are fetched from whoever has them, those that are whole are used, what is there goes to the archive (D1), and
// no look at the disk takes it for an edit (judge.ts). If nobody has the pieces, the file stays as it is.
import { ShoalError } from '../../core/error.js'
import type { Fact } from '../../core/fact.js'
import type { RelPath } from '../../core/path.js'
import { type DiskStat, sameStat } from '../../core/stat.js'
import { isDamaged } from '../../store/due.js'
import { isShared } from '../../store/links.js'
import type { Layout } from '../../store/pieces.js'
import type { ShareContext } from '../share/context.js'
import type { EndedDrift } from '../share/local-drift.js'
import type { ScrubState } from './scrub-state.js'

export interface OpenDamage {
  readonly path: RelPath
  /** When it was found, milliseconds since 1970. */
  readonly sinceMs: number
  /** Size of the file. */
  readonly bytes: number
}

/** A damaged file as it was found. */
export interface FoundDamage {
  readonly path: RelPath
  /** As it is in the index, and was before and after reading. */
  readonly stat: DiskStat
  /** What is there, and its pieces; no pieces if it cannot be read. */
  readonly held: Fact
  readonly layout: Layout | undefined
  /** For people. */
  readonly detail: string
}

export interface DamageBookOptions {
  readonly context: Pick<ShareContext, 'index' | 'problems' | 'log'>
  readonly state: ScrubState
  readonly nowMs: () => number
  /** Something is to be fetched, or told to members. */
  readonly onChange: () => void
}

const CODE = 'DAMAGED'

export class DamageBook {
  readonly #o: DamageBookOptions
  readonly #open = new Map<RelPath, OpenDamage>()

  constructor(options: DamageBookOptions) {
    this.#o = options
  }

  /** What an earlier run found and could not put right. */
  start(): void {
    const { index } = this.#o.context
    for (const path of index.drifted()) {
      const row = index.disk(path)
      if (row !== undefined && isDamaged(row)) this.#note(path, row.drift!.sinceMs, row.stat?.size ?? 0)
    }
  }

  /** Those not put right yet, in the order in which they were found. */
  get open(): readonly OpenDamage[] {
    this.#forgetHealed()
    return [...this.#open.values()]
  }

  /** Notes damage, of all names of the file; false if the index does not say any more what it was compared with. */
  add({ path, stat, held, layout, detail }: FoundDamage): boolean {
    const { context, state, nowMs, onChange } = this.#o
    const { index, log } = context
    const sinceMs = nowMs()
    const names = isShared(stat) ? index.links.names(stat.ino).map((name) => name.path) : [path]
    const marked = index.transaction(() => {
      const rows = names.flatMap((name) => {
        const row = index.disk(name)
        const isSame = row?.stat !== undefined && row.drift === undefined && sameStat(row.stat, stat)
        return isSame ? [{ name, row }] : []
      })
      for (const { name, row } of rows) {
        const fact = asHeld(row.applied.fact, held)
        index.setDisk(name, { ...row, drift: { kinds: ['damage'], sinceMs, fact } }, layout)
      }
      if (rows.length > 0) {
        const { found, repaired } = state.totals
        state.totals = { found: found + rows.length, repaired }
      }
      return rows
    })
    for (const { name } of marked) {
      log.error({ path: name, detail }, 'damaged: the content is not what it was, and nobody has changed it')
      this.#note(name, sinceMs, stat.size)
    }
    if (marked.length > 0) onChange()
    return marked.length > 0
  }

  /** Something was put over a damaged file. Call inside the transaction that notes it; false: it was not damaged. */
  noteEnded({ path, row, archived }: EndedDrift): boolean {
    if (!isDamaged(row)) return false
    const { context, state } = this.#o
    const { found, repaired } = state.totals
    state.totals = { found, repaired: repaired + 1 }
    context.log.warn({ path, archived }, 'a damaged file was put right; what was there is in the archive')
    this.#close(path)
    return true
  }

  /** A user, or another version of the share, may have put something else there. */
  #forgetHealed(): void {
    const { index } = this.#o.context
    for (const path of this.#open.keys()) if (!isDamaged(index.disk(path))) this.#close(path)
  }

  #note(path: RelPath, sinceMs: number, bytes: number): void {
    this.#open.set(path, { path, sinceMs, bytes })
    const detail =
      'its content was damaged on this disk; a whole copy is put in its place once a member has it'
    this.#o.context.problems.set('scrub', path, CODE, detail)
  }

  #close(path: RelPath): void {
    if (!this.#open.delete(path)) return
    this.#o.context.problems.clear('scrub', path)
    this.#o.onChange()
  }
}

/** What is there, with the metadata that the path has: of a file that nobody touched those are as they were. */
function asHeld(applied: Fact, held: Fact): Fact {
  if (applied.type === 'file' && held.type === 'file') return { ...applied, content: held.content }
  if (applied.type === 'symlink' && held.type === 'symlink') return { ...applied, target: held.target }
  throw new ShoalError('INTERNAL', 'broken invariant: damage keeps the type of a path')
}
