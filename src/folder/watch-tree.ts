// The watches of one share as a tree, so that whatever lies below a directory goes with it. Used only inside the watch
// thread. A node remembers which inode it watches: inotify follows the inode, not the name, so after a rename the node
// is no longer current and its place may be taken by another directory.
import fs from 'node:fs'
import path from 'node:path'
import type { Directory } from './watch-protocol.js'

/**
 * What an event may mean, growing: something in the directory changed; a name in it, or the directory itself, came or
 * went; the event bears the directory's own name, as those about itself do, and so the watch may be dead.
 */
export type Change = 0 | 1 | 2
export const CONTENT: Change = 0
export const NAMES: Change = 1
export const ITSELF: Change = 2

/** Called for each event of a directory. */
export type Changed = (node: WatchNode, change: Change) => void

/** One watched directory. */
export class WatchNode {
  readonly directory: Directory
  readonly children: Map<string, WatchNode> = new Map()
  #watcher: fs.FSWatcher | undefined
  #ino = 0
  #dev = 0

  constructor(directory: Directory) {
    this.directory = directory
  }

  get watching(): boolean {
    return this.#watcher !== undefined
  }

  /** Starts watching the directory that has this name now. False if there is none; throws what fs.watch throws. */
  open(root: string, changed: Changed): boolean {
    const place = placeOf(root, this.directory)
    const before = inodeOf(place, this.directory)
    if (before === undefined) return false
    const watcher = fs.watch(place, { persistent: true })
    const after = inodeOf(place, this.directory)
    if (after === undefined || after.ino !== before.ino || after.dev !== before.dev) {
      watcher.close()
      return false
    }
    // An event about the directory itself has no name, and libuv puts the last part of the watched path there.
    const ownName = path.basename(place)
    watcher.on('change', (type, name) =>
      changed(this, type !== 'rename' ? CONTENT : name === ownName ? ITSELF : NAMES),
    )
    watcher.on('error', () => changed(this, ITSELF))
    this.#watcher?.close()
    this.#watcher = watcher
    this.#ino = after.ino
    this.#dev = after.dev
    return true
  }

  /**
   * Whether the name still belongs to the directory that is watched. File systems reuse inode numbers at once, so after
   * ITSELF a yes proves nothing: open() again.
   */
  isCurrent(root: string): boolean {
    let now: ReturnType<typeof inodeOf>
    try {
      now = inodeOf(placeOf(root, this.directory), this.directory)
    } catch {
      // Say, a directory above may not be searched any more: adding it again will tell.
      return false
    }
    return now !== undefined && now.ino === this.#ino && now.dev === this.#dev
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}

/** All nodes, by name. A node without a watch stands only for what is watched below it. */
export class WatchTree {
  readonly #root = new WatchNode('')

  /** Watches a directory, or makes sure that it is watched rightly. False if there is no such directory. */
  add(root: string, directory: Directory, changed: Changed): boolean {
    const node = this.#find(directory, true)!
    if (node.watching) {
      if (node.isCurrent(root)) return true
      // What was below the old directory moved away with it.
      for (const below of take(node)) below.close()
    }
    if (node.open(root, changed)) return true
    this.drop(node)
    return false
  }

  /** Closes a node and all below it. */
  drop(node: WatchNode): void {
    for (const each of this.take(node.directory)) each.close()
  }

  /** Takes a directory and all below it out of the tree; the caller closes them. */
  take(directory: Directory): WatchNode[] {
    const node = this.#find(directory, false)
    if (node === undefined) return []
    const slash = directory.lastIndexOf('/')
    if (directory !== '') {
      const parent = this.#find((slash < 0 ? '' : directory.slice(0, slash)) as Directory, false)
      parent?.children.delete(directory.slice(slash + 1))
    }
    return take(node)
  }

  #find(directory: Directory, make: boolean): WatchNode | undefined {
    let node = this.#root
    if (directory === '') return node
    let end = 0
    while (end < directory.length) {
      const start = end === 0 ? 0 : end + 1
      const slash = directory.indexOf('/', start)
      end = slash < 0 ? directory.length : slash
      const name = directory.slice(start, end)
      let child = node.children.get(name)
      if (child === undefined) {
        if (!make) return undefined
        child = new WatchNode(directory.slice(0, end) as Directory)
        node.children.set(name, child)
      }
      node = child
    }
    return node
  }
}

/** A node and all below it, cut from each other. */
function take(node: WatchNode): WatchNode[] {
  const taken = [node]
  for (let index = 0; index < taken.length; index++) {
    const next = taken[index]!
    for (const child of next.children.values()) taken.push(child)
    next.children.clear()
  }
  return taken
}

function placeOf(root: string, directory: Directory): string {
  return directory === '' ? root : `${root}/${directory}`
}

/**
 * The inode of a directory; undefined for anything else, a symlink to a directory included (A1). Only the root itself may
 * be reached through one: the configuration names it.
 */
function inodeOf(
  place: string,
  directory: Directory,
): { readonly ino: number; readonly dev: number } | undefined {
  try {
    const look = directory === '' ? fs.statSync : fs.lstatSync
    const stats = look(place, { throwIfNoEntry: false })
    return stats?.isDirectory() ? { ino: stats.ino, dev: stats.dev } : undefined
  } catch (thrown) {
    // A directory above has become a file.
    if ((thrown as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined
    throw thrown
  }
}
