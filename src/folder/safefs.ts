// File system calls below one root that never follow a symlink (A1). Node has no openat, but /proc/self/fd/N/name gives
// the same: the last name of a path is used through the descriptor of its directory. That one is opened by openat2(2) in one call
// (ports/openat2.ts), or where that does not do, part by part with O_NOFOLLOW, which also tells what is wrong with which part. A symlink,
// or anything that is no directory, in the way is an error; so is a path with `..` or a NUL. Directories are opened with O_PATH, which
// needs no read permission on them.
//
// A SafeRoot lives for one batch: it keeps descriptors of the directories it has worked in, and the tree changes
// between batches. Nor does it enter what is mounted below the root: nothing can be renamed in there, and at the next
// unmount all of it would seem deleted (A5). What happens in a directory that the user moves during a batch happens in that directory,
// wherever it is now: as if the user had moved it just afterwards. That holds for a directory that has been worked in, and has not been
// given up for another since; any other is looked for below the nearest one above it that is open, so where that is now: what lies
// between them is as it is at that moment. All calls are synchronous, for worker threads.
import fs from 'node:fs'
import { swapSync } from 'fs-native-extensions'
import { isShortage } from '../core/shortage.js'
import { type DiskStat, statOf } from '../core/stat.js'
import { type CallsAt, callsAtWhenWorth } from '../ports/calls-at.js'
import { type Beneath, beneathWhenWorth } from '../ports/openat2.js'
import { codeOf, PathFault } from './fault.js'
import { renameToFree } from './free-rename.js'
import { mountOf, O_PATH, openPart } from './path-part.js'

export {
  codeOf,
  type Fault,
  faultOf,
  isGone,
  isUnsupported,
  isUnsupportedCode,
  PathFault,
  type PathFaultCode,
} from './fault.js'

const { O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants
/** A part that is empty, `.` or `..`, or a NUL: no path. */
const NO_PARTS = /(?:^|\/)\.{0,2}(?:\/|$)|\0/
/** Descriptors kept at most: a process has about 1,024 for all its threads. */
const MAX_OPEN_DIRECTORIES = 64

/** How files and directories are opened where node:fs has a longer way. */
export interface Ways {
  readonly calls?: CallsAt | undefined
  readonly beneath?: Beneath | undefined
}

/** Paths are relative to the root, '' is the root itself; `.shoal/...` is allowed, since our own folder needs it. */
export class SafeRoot {
  /** For what openAt() gave. */
  readonly calls: CallsAt
  readonly #rootFd: number
  readonly #dev: number
  readonly #beneath: Beneath
  /** Of the root; not asked for before a directory is opened part by part. */
  #mount: { readonly id: string | undefined } | undefined
  /** Directory path to descriptor, least recently used first. What is above one need not be here. */
  readonly #open = new Map<string, number>()
  /** Those of them that #beneath has opened and is to close. */
  readonly #fromBeneath = new Set<number>()
  /** Must not be closed by an eviction, because a call under way uses it. */
  #pinned = -1
  #lastDirectory = ''
  #lastFd: number

  /**
   * Throws what open(2) says if the root cannot be opened. The root itself may be reached through symlinks. `calls` and
   * `beneath`: for tests, which open files and directories in either way.
   */
  constructor(rootPath: string, { calls = callsAtWhenWorth, beneath = beneathWhenWorth }: Ways = {}) {
    this.calls = calls
    this.#beneath = beneath
    this.#rootFd = fs.openSync(rootPath, O_PATH | O_DIRECTORY)
    try {
      this.#dev = fs.fstatSync(this.#rootFd).dev
    } catch (thrown) {
      fs.closeSync(this.#rootFd)
      throw thrown
    }
    this.#lastFd = this.#rootFd
  }

  /** Closes every descriptor; the SafeRoot must not be used any more. */
  close(): void {
    for (const [directory, fd] of this.#open) this.#drop(directory, fd)
    fs.closeSync(this.#rootFd)
  }

  /** The root directory's own stat. */
  rootStat(): DiskStat {
    return statOf(fs.fstatSync(this.#rootFd))
  }

  /**
   * An O_PATH descriptor of a directory, for `/proc/self/fd/N/...` and fstat. It stays ours, and is valid until the next
   * call that names another directory. Throws PathFault.
   */
  directory(path: string): number {
    if (path === this.#lastDirectory) return this.#lastFd
    const fd = this.#directory(path)
    this.#lastDirectory = path
    this.#lastFd = fd
    return fd
  }

  /**
   * The name to give a node:fs call that does not follow a final symlink (lstat, open with O_NOFOLLOW, rename, ...).
   * Valid as long as directory() is. Throws PathFault.
   */
  at(path: string): string {
    const name = this.#nameAt(path)
    return `/proc/self/fd/${this.#lastFd}/${name}`
  }

  /** Undefined if there is nothing of that name in its (existing) directory. */
  lstat(path: string): DiskStat | undefined {
    const name = this.#nameAt(path)
    const stat = name.isWellFormed() ? this.calls.lstat(this.#lastFd, name) : undefined
    if (stat !== undefined) return stat
    const stats = fs.lstatSync(`/proc/self/fd/${this.#lastFd}/${name}`, { throwIfNoEntry: false })
    return stats === undefined ? undefined : statOf(stats)
  }

  /**
   * As open() of what is there, in less time: a descriptor that `calls` is to close. Undefined where that is not to be had, or
   * fails; open() says why.
   */
  openAt(path: string, flags: number): number | undefined {
    const name = this.#nameAt(path)
    if (!name.isWellFormed()) return undefined
    return this.calls.open(this.#lastFd, name, flags | O_NOFOLLOW | O_NONBLOCK)
  }

  /** Opens for reading or writing; O_NOFOLLOW and O_NONBLOCK (a fifo must not hang us) are always added. */
  open(path: string, flags: number = O_RDONLY, mode = 0o600): number {
    const place = this.at(path)
    return this.#withRoom(this.#lastFd, () => fs.openSync(place, flags | O_NOFOLLOW | O_NONBLOCK, mode))
  }

  /**
   * A descriptor of whatever is at the path, a symlink too, that needs no permission on it: good for fstat, and for
   * setMode and setTimes, which then cannot hit anything else that takes the name meanwhile. The caller closes it.
   */
  handle(path: string): number {
    const place = this.at(path)
    return this.#withRoom(this.#lastFd, () => fs.openSync(place, O_PATH | O_NOFOLLOW))
  }

  /** A readable descriptor of a directory, for fsync. The caller closes it. */
  openDirectory(path: string): number {
    const place = `/proc/self/fd/${this.directory(path)}`
    return this.#withRoom(this.#lastFd, () => fs.openSync(place, O_RDONLY | O_DIRECTORY))
  }

  /** Names as bytes, since they need not be UTF-8; without `.` and `..`, in no order. */
  readdir(path: string): Buffer[] {
    return fs.readdirSync(`/proc/self/fd/${this.directory(path)}`, { encoding: 'buffer' })
  }

  /** EEXIST if anything has the name. The process's umask applies. */
  mkdir(path: string, mode: number): void {
    fs.mkdirSync(this.at(path), { mode })
  }

  /** As rename(2): replaces what is at `to`, in one step. */
  rename(from: string, to: string): void {
    this.#both(from, to, fs.renameSync)
    this.forget(from)
    this.forget(to)
  }

  /** As rename(2), but EEXIST if anything has the name `to`; see isUnsupported. */
  renameToFree(from: string, to: string): void {
    this.#both(from, to, renameToFree)
    this.forget(from)
    this.forget(to)
  }

  /** Swaps two names in one step, whatever they are; see isUnsupported. */
  exchange(one: string, other: string): void {
    this.#both(one, other, swapSync)
    this.forget(one)
    this.forget(other)
  }

  /** A hard link; EEXIST if anything has the name `to`. A symlink is linked itself. See isUnsupported. */
  link(from: string, to: string): void {
    this.#both(from, to, fs.linkSync)
  }

  unlink(path: string): void {
    fs.unlinkSync(this.at(path))
  }

  /** ENOTEMPTY if it holds anything. */
  rmdir(path: string): void {
    fs.rmdirSync(this.at(path))
    this.forget(path)
  }

  /** EEXIST if anything has the name. */
  symlink(target: string, path: string): void {
    fs.symlinkSync(target, this.at(path))
  }

  /** The target's bytes. */
  readlink(path: string): Buffer {
    return fs.readlinkSync(this.at(path), { encoding: 'buffer' })
  }

  /** Sets both times of a symlink itself; `time` as from utimesTime(). */
  setLinkTimes(path: string, time: string): void {
    fs.lutimesSync(this.at(path), time, time)
  }

  /** Drops the descriptors of a directory that has moved or gone, and of all below it. */
  forget(path: string): void {
    const below = `${path}/`
    for (const [directory, fd] of this.#open) {
      if (directory !== path && !directory.startsWith(below)) continue
      this.#drop(directory, fd)
      if (this.#lastFd === fd) {
        this.#lastDirectory = ''
        this.#lastFd = this.#rootFd
      }
    }
  }

  /** The last name of a path; its directory is #lastFd then. */
  #nameAt(path: string): string {
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    checkName(name)
    this.directory(directoryIn(path, slash))
    return name
  }

  #both(from: string, to: string, call: (from: string, to: string) => void): void {
    const source = this.at(from)
    this.#pinned = this.#lastFd
    try {
      call(source, this.at(to))
    } finally {
      this.#pinned = -1
    }
  }

  #directory(path: string): number {
    return this.#known(path) ?? this.#atOnce(path) ?? this.#byParts(path)
  }

  #known(path: string): number | undefined {
    if (path === '') return this.#rootFd
    const fd = this.#open.get(path)
    if (fd === undefined) return undefined
    this.#open.delete(path)
    this.#open.set(path, fd)
    return fd
  }

  /** All parts below the nearest directory that is open in one call. Undefined where they are to be gone through to know. */
  #atOnce(path: string): number | undefined {
    // Two strings that are not well-formed can be the same bytes; what this call cannot be told exactly, it is not told.
    if (NO_PARTS.test(path) || !path.isWellFormed()) return undefined
    let from: number | undefined
    let slash = path.lastIndexOf('/')
    for (; slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      from = this.#known(path.slice(0, slash))
      if (from !== undefined) break
    }
    const fd = this.#beneath.open(from ?? this.#rootFd, path.slice(slash + 1))
    if (fd === undefined) return undefined
    this.#fromBeneath.add(fd)
    if (!this.#isOfRootDevice(fd)) {
      this.#close(fd)
      return undefined
    }
    return this.#keep(path, fd)
  }

  /** A subvolume of btrfs is a device of its own and no mount; all that is below one is of its device. False: or not to be told. */
  #isOfRootDevice(fd: number): boolean {
    try {
      return fs.fstatSync(fd).dev === this.#dev
    } catch {
      // Found out, and said, part by part.
      return false
    }
  }

  #byParts(path: string): number {
    const slash = path.lastIndexOf('/')
    const name = path.slice(slash + 1)
    checkName(name)
    const above = directoryIn(path, slash)
    const parent = this.#known(above) ?? this.#byParts(above)
    const fd = this.#withRoom(parent, () => this.#openOwn(`/proc/self/fd/${parent}`, name, path))
    return this.#keep(path, fd)
  }

  #keep(path: string, fd: number): number {
    this.#open.set(path, fd)
    if (this.#open.size > MAX_OPEN_DIRECTORIES) this.#evict()
    return fd
  }

  /** Opens a directory, which has to be on the root's file system. */
  #openOwn(parent: string, name: string, path: string): number {
    const fd = openPart(parent, name, path)
    try {
      this.#mount ??= { id: mountOf(this.#rootFd) }
      if (fs.fstatSync(fd).dev === this.#dev && mountOf(fd) === this.#mount.id) return fd
      throw new PathFault('OTHER_FILE_SYSTEM', `"${path}" is on another file system than the share`)
    } catch (thrown) {
      fs.closeSync(fd)
      throw thrown
    }
  }

  /** Where the process has no descriptor left, those kept here are the first to go; `used` is not. */
  #withRoom<T>(used: number, call: () => T): T {
    try {
      return call()
    } catch (thrown) {
      if (!isShortage(codeOf(thrown)) || !this.#makeRoom(used)) throw thrown
      return call()
    }
  }

  /** Closes all that nobody is using; whether that were any. */
  #makeRoom(used: number): boolean {
    const before = this.#open.size
    for (const [directory, fd] of this.#open) {
      if (fd === this.#pinned || fd === this.#lastFd || fd === used) continue
      this.#drop(directory, fd)
    }
    return this.#open.size < before
  }

  #evict(): void {
    for (const [directory, fd] of this.#open) {
      if (fd === this.#pinned || fd === this.#lastFd) continue
      this.#drop(directory, fd)
      return
    }
  }

  #drop(directory: string, fd: number): void {
    this.#open.delete(directory)
    this.#close(fd)
  }

  #close(fd: number): void {
    if (this.#fromBeneath.delete(fd)) this.#beneath.close(fd)
    else fs.closeSync(fd)
  }
}

/** Permission bits of what a handle stands for, which must not be a symlink. */
export function setMode(handle: number, mode: number): void {
  fs.chmodSync(`/proc/self/fd/${handle}`, mode)
}

/** Both times of what a handle stands for, a symlink too; `time` as from utimesTime(). */
export function setTimes(handle: number, time: string): void {
  fs.utimesSync(`/proc/self/fd/${handle}`, time, time)
}

function directoryIn(path: string, slash: number): string {
  if (slash === 0) throw new PathFault('BAD_PATH', 'path is absolute')
  return slash < 0 ? '' : path.slice(0, slash)
}

function checkName(name: string): void {
  if (name === '' || name === '.' || name === '..' || name.includes('\0'))
    throw new PathFault('BAD_PATH', 'path has an empty, ".", ".." or NUL part')
}
