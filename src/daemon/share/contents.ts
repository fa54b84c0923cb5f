// What is in a share, directory by directory: what it says of each name, and how this disk stands to that. Reads the index,
// decides nothing.
import { decodeOwner, OWNER_TAG, type Owner, tagOf } from '../../core/attributes.js'
import { originalOf } from '../../core/conflict.js'
import type { LiveEntry } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { LiveFact } from '../../core/fact.js'
import { childPath, type RelPath } from '../../core/path.js'
import type { ShareContext } from './context.js'
import { currentFact } from './current-fact.js'

/** 'ignored': the rules leave it out on this node; the others are those of the control API. */
export type EntryState = 'synced' | 'wanted' | 'drift' | 'problem' | 'conflict' | 'ignored'

export interface Listed {
  readonly path: RelPath
  /** By the share; of a path that it says nothing of, by this disk. */
  readonly fact: LiveFact
  /** The entry that says so; undefined for what only this disk has, and directories that only their children imply. */
  readonly entry: LiveEntry | undefined
  /** As it is carried; undefined if it is not. */
  readonly owner: Owner | undefined
  readonly state: EntryState
}

export interface Listing {
  readonly entries: readonly Listed[]
  /** The path to go on after; undefined: that was all. */
  readonly next: RelPath | undefined
}

/** Keys looked at by one call: a directory may be full of names that were deleted. */
const MAX_LOOKED = 20_000
const CHUNK = 1024

type Context = Pick<ShareContext, 'index' | 'problems' | 'isIgnored'>

export class Contents {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  /** Up to `limit` names in a directory, after one if it is given. NOT_FOUND: there is no such directory. */
  list(directory: RelPath | '', after: string | undefined, limit: number): Listing {
    const { index } = this.#context
    if (directory !== '' && this.#factOf(directory)?.type !== 'directory')
      throw new ShoalError('NOT_FOUND', `there is no directory ${directory} in this share`)
    const judge = this.#judge()
    const entries: Listed[] = []
    let last = after === undefined ? undefined : named(directory, after)
    for (let looked = 0; looked < MAX_LOOKED; ) {
      const paths = index.inside(directory, last, CHUNK)
      for (const path of paths) {
        const listed = this.#look(path, judge)
        if (listed !== undefined && entries.length === limit) return { entries, next: last }
        last = path
        if (listed !== undefined) entries.push(listed)
      }
      if (paths.length < CHUNK) return { entries, next: undefined }
      looked += paths.length
    }
    return { entries, next: last }
  }

  #look(path: RelPath, judge: (path: RelPath) => EntryState): Listed | undefined {
    const fact = this.#factOf(path)
    if (fact === undefined) return undefined
    const { entry } = this.#context.index.effective(path)
    const stated = tagOf(fact.extra, OWNER_TAG)
    const owner = stated === undefined ? undefined : decodeOwner(stated)
    return { path, fact, entry, owner, state: judge(path) }
  }

  #factOf(path: RelPath): LiveFact | undefined {
    const { index } = this.#context
    const { fact } = index.effective(path)
    if (fact.type !== 'absent') return fact
    const held = currentFact(index.disk(path))
    return held.type === 'absent' ? undefined : held
  }

  #judge(): (path: RelPath) => EntryState {
    const { index, problems, isIgnored } = this.#context
    const { copies, unsettled } = index.conflicts
    const originals = new Set([...copies].map(originalOf))
    const faulty = new Set(problems.list().map(({ path }) => path))
    return (path) => {
      const isDirectory = this.#factOf(path)?.type === 'directory'
      if (faulty.has(path)) return 'problem'
      if (copies.has(path) || originals.has(path) || unsettled.has(path)) return 'conflict'
      if (isIgnored(path, isDirectory)) return 'ignored'
      if (index.isWanted(path) || (isDirectory && index.isWantedBelow(path))) return 'wanted'
      return index.disk(path)?.drift === undefined ? 'synced' : 'drift'
    }
  }
}

function named(directory: RelPath | '', name: string): RelPath {
  const path = name.includes('/') ? undefined : childPath(directory, name)
  if (path === undefined) throw new ShoalError('USAGE', '"after" is no name in a directory')
  return path
}
