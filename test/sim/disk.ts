// A simulated file system: inodes with stats that behave as on Linux (a change of content or metadata moves the ctime, a
// change of a directory's names moves its mtime), an archive and a staging area beside the tree. What users do goes
// through the methods named so and is reported to the ledger; what the agent does is not.
import { NO_EXTRA } from '../../src/core/entry.js'
import type { Fact } from '../../src/core/fact.js'
import { parentOf, type RelPath } from '../../src/core/path.js'
import { type DiskStat, mtimeUsOf } from '../../src/core/stat.js'
import { withMode } from '../support/wearing.js'
import type { Content } from './contents.js'

const NO_ATTRIBUTES = Buffer.alloc(0)

export type InodeType = 'file' | 'directory' | 'symlink'

/** What makes up a file's or link's bytes, for the ledger. */
export type Bytes =
  | { readonly type: 'file'; readonly content: Content }
  | { readonly type: 'symlink'; readonly target: string }

export interface Inode {
  readonly type: InodeType
  content: Content | undefined
  target: string | undefined
  stat: DiskStat
  /** Changed by a user since the agent last knew it: only such a thing may be announced (A4). */
  isTouched: boolean
  /** Packed, as the file system has them. */
  attributes: Buffer
  /** What of its metadata users have changed since the agent last knew it. */
  readonly touched: Set<string>
  /** Whether its mode is one that a user gave it, and not the agent. */
  hasUsersMode: boolean
}

/** Hears what users write and destroy. */
export interface Ledger {
  written(path: RelPath, bytes: Bytes): void
  destroyed(path: RelPath, bytes: Bytes): void
  /** The agent took bytes of a user's along to another name. */
  moved(from: RelPath, to: RelPath, bytes: Bytes): void
}

export class SimDisk {
  readonly tree: Map<RelPath, Inode> = new Map()
  readonly archive: Map<string, Inode> = new Map()
  /** Whole staged files by token; they survive a crash. */
  readonly staging: Map<string, Content> = new Map()
  /** Paths that a user, not the agent, made disappear. */
  readonly removedByUser: Set<RelPath> = new Set()
  readonly #nowUs: () => number
  readonly #ledger: Ledger
  #ino = 1
  #ticks = 0

  constructor(nowUs: () => number, ledger: Ledger) {
    this.#nowUs = nowUs
    this.#ledger = ledger
  }

  stat(path: RelPath): DiskStat | undefined {
    return this.tree.get(path)?.stat
  }

  isDirectory(path: RelPath | ''): boolean {
    return path === '' || this.tree.get(path)?.type === 'directory'
  }

  children(directory: RelPath | ''): RelPath[] {
    const prefix = directory === '' ? '' : `${directory}/`
    const paths: RelPath[] = []
    for (const path of this.tree.keys()) {
      if (path.startsWith(prefix) && !path.includes('/', prefix.length)) paths.push(path)
    }
    return paths
  }

  /** Everything below a directory, deepest last. */
  below(directory: RelPath): RelPath[] {
    return [...this.tree.keys()].filter((path) => path.startsWith(`${directory}/`)).sort()
  }

  // --- what users do ---

  userCreates(path: RelPath, what: Bytes | { readonly type: 'directory' }, mode: number): void {
    if (this.tree.has(path)) this.userRemoves(path)
    const inode = this.make(what, mode, this.#nowUs())
    inode.isTouched = true
    this.put(path, inode, 'user')
    if (what.type !== 'directory') this.#ledger.written(path, what)
  }

  /** Writes into the inode that is there, as a program with the file open does. */
  userOverwrites(path: RelPath, content: Content): void {
    const inode = this.tree.get(path)!
    this.#ledger.destroyed(path, bytesOf(inode)!)
    inode.content = content
    this.change(inode, { size: content.size, mtimeMs: this.#nowUs() / 1000 })
    inode.isTouched = true
    this.#ledger.written(path, { type: 'file', content })
  }

  userRemoves(path: RelPath): void {
    const inode = this.tree.get(path)!
    const bytes = bytesOf(inode)
    if (bytes !== undefined) this.#ledger.destroyed(path, bytes)
    this.take(path, 'user')
    this.removedByUser.add(path)
  }

  /** rename(2): over a file if there is one, a directory with all below it. */
  userRenames(from: RelPath, to: RelPath): void {
    if (this.tree.has(to)) this.userRemoves(to)
    for (const path of [from, ...this.below(from)]) {
      const inode = this.tree.get(path)!
      const bytes = bytesOf(inode)
      if (bytes !== undefined) this.#ledger.destroyed(path, bytes)
      this.take(path, 'user')
      this.removedByUser.add(path)
      const target = (to + path.slice(from.length)) as RelPath
      inode.isTouched = true
      if (path === from) this.change(inode, {})
      this.put(target, inode, 'user', path === from)
      if (bytes !== undefined) this.#ledger.written(target, bytes)
    }
  }

  userSets(path: RelPath, set: { readonly mode?: number; readonly mtimeUs?: number }): void {
    this.set(path, set)
    const inode = this.tree.get(path)!
    inode.isTouched = true
    if (set.mode === undefined || inode.type === 'symlink') return
    inode.touched.add('mode')
    inode.hasUsersMode = true
    // chmod(2) changes the mask of an ACL.
    inode.attributes = withMode({ stat: inode.stat, attributes: inode.attributes }, set.mode).attributes!
  }

  // --- what both do ---

  make(what: Bytes | { readonly type: 'directory' }, mode: number, mtimeUs: number): Inode {
    const size =
      what.type === 'file' ? what.content.size : what.type === 'symlink' ? what.target.length : 4096
    return {
      type: what.type,
      content: what.type === 'file' ? what.content : undefined,
      target: what.type === 'symlink' ? what.target : undefined,
      stat: {
        type: what.type,
        mode: what.type === 'symlink' ? 0o777 : mode,
        size,
        mtimeMs: mtimeUs / 1000,
        ctimeMs: ++this.#ticks,
        ino: this.#ino++,
        dev: 1,
        nlink: 1,
        uid: 0,
        gid: 0,
      },
      isTouched: false,
      attributes: NO_ATTRIBUTES,
      touched: new Set(),
      hasUsersMode: false,
    }
  }

  /** Puts an inode at a path, over whatever is there; its directory must exist. */
  put(path: RelPath, inode: Inode, by: 'user' | 'agent', disturbs = true): void {
    this.tree.set(path, inode)
    this.removedByUser.delete(path)
    // Another inode under this name has metadata of its own.
    if (by === 'user') {
      for (const what of ['owner', 'acl', 'xattrs', 'mode']) inode.touched.add(what)
      inode.hasUsersMode = true
    }
    if (disturbs) this.#disturb(path, by)
  }

  /**
   * rename(2) of a file by the agent, over whatever is at `to`. `looked`: its content when the agent looked at it; if a
   * user has written into it since, that is owed under the new name, where the old content was going to be and is no more.
   */
  rename(from: RelPath, to: RelPath, looked: Content | undefined): void {
    const inode = this.tree.get(from)!
    const bytes = bytesOf(inode)
    if (bytes !== undefined && inode.content !== looked) {
      this.#ledger.moved(from, to, bytes)
      if (looked !== undefined) this.#ledger.destroyed(to, { type: 'file', content: looked })
    }
    this.take(from, 'agent')
    this.change(inode, {})
    this.put(to, inode, 'agent')
  }

  take(path: RelPath, by: 'user' | 'agent'): void {
    this.tree.delete(path)
    this.#disturb(path, by)
  }

  set(path: RelPath, { mode, mtimeUs }: { readonly mode?: number; readonly mtimeUs?: number }): void {
    const inode = this.tree.get(path)!
    this.change(inode, {
      ...(mode === undefined || inode.type === 'symlink' ? {} : { mode }),
      ...(mtimeUs === undefined ? {} : { mtimeMs: mtimeUs / 1000 }),
    })
  }

  /** A change of an inode: its ctime moves. */
  change(inode: Inode, to: Partial<DiskStat>): void {
    inode.stat = { ...inode.stat, ...to, ctimeMs: ++this.#ticks }
  }

  /** A directory's names changed: so did its times. */
  #disturb(path: RelPath, by: 'user' | 'agent'): void {
    const parent = parentOf(path)
    const inode = parent === '' ? undefined : this.tree.get(parent)
    if (inode === undefined) return
    this.change(inode, { mtimeMs: this.#nowUs() / 1000 })
    if (by === 'user') inode.isTouched = true
  }
}

/** The agent knows an inode as it is. */
export function noted(inode: Inode): void {
  inode.isTouched = false
  inode.touched.clear()
}

export function bytesOf(inode: Inode): Bytes | undefined {
  if (inode.type === 'file') return { type: 'file', content: inode.content! }
  return inode.type === 'symlink' ? { type: 'symlink', target: inode.target! } : undefined
}

/** What reading an inode tells. */
export function factOfInode({ type, stat, content, target }: Inode): Fact {
  const mtimeUs = mtimeUsOf(stat)
  if (type === 'symlink') return { type, mtimeUs, target: target!, extra: NO_EXTRA }
  if (type === 'directory') return { type, mode: stat.mode, mtimeUs, extra: NO_EXTRA }
  return { type, mode: stat.mode, mtimeUs, size: stat.size, content: content!.id, extra: NO_EXTRA }
}
