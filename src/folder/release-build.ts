// Builds releases (release-job.ts) in the staging area and takes old ones away. Promises: no symlink is followed (A1); a file
// is copied only if it is untouched since it was looked at and stays so until the copy is whole (A3, A8); a live file never
// gets another name here, since its user writes to it in place; what is built is durable before it gets its name.
import fs from 'node:fs'
import { assertNever } from '../core/error.js'
import { pathFault, type RelPath } from '../core/path.js'
import { type DiskStat, mtimeUsOf, sameStat, statOf } from '../core/stat.js'
import { copyMetadata } from './copy-metadata.js'
import { Durability } from './durable.js'
import { STAGING_DIR } from './marker.js'
import type { ReleasePayload, ReleaseStep, ReleaseStepResult } from './release-job.js'
import { removeTree } from './remove-tree.js'
import { codeOf, faultOf, PathFault, SafeRoot, setMode } from './safefs.js'
import { utimesTime } from './utimes.js'

const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE, O_WRONLY, O_CREAT, O_EXCL } = fs.constants
/** Nobody else may look into what is not whole. */
const BUILD_MODE = 0o700
/** What a file system says that has no clones; EXDEV and EINVAL among them (ioctl_ficlone(2)). */
const NO_CLONES: ReadonlySet<string> = new Set([
  'ENOTSUP',
  'EOPNOTSUPP',
  'ENOTTY',
  'EXDEV',
  'EINVAL',
  'ENOSYS',
  'EPERM',
])
const CHANGED: ReleaseStepResult = { status: 'changed' }
const DONE: ReleaseStepResult = { status: 'done' }

type StepOf<Type extends ReleaseStep['type']> = ReleaseStep & { readonly type: Type }

/** Takes the steps in order on this thread; one result each. Never throws for what a disk does. */
export function buildRelease({ root: rootPath, steps, expectRoot }: ReleasePayload): ReleaseStepResult[] {
  let root: SafeRoot
  try {
    root = new SafeRoot(rootPath)
  } catch (thrown) {
    return steps.map(() => failed(thrown))
  }
  try {
    const { ino, dev } = root.rootStat()
    if (expectRoot !== undefined && (ino !== expectRoot.ino || dev !== expectRoot.dev)) {
      const detail = 'the root is another directory than before'
      return steps.map(() => ({ status: 'failed', code: 'ROOT_CHANGED', detail }))
    }
    const builder = new Builder(root)
    return steps.map((step) => builder.take(step))
  } finally {
    root.close()
  }
}

class Builder {
  readonly #root: SafeRoot
  readonly #durability: Durability
  #hasClones = true

  constructor(root: SafeRoot) {
    this.#root = root
    this.#durability = new Durability(root, STAGING_DIR)
  }

  take(step: ReleaseStep): ReleaseStepResult {
    try {
      return this.#perform(step)
    } catch (thrown) {
      return failed(thrown)
    }
  }

  #perform(step: ReleaseStep): ReleaseStepResult {
    switch (step.type) {
      case 'directory':
        return this.#directory(step)
      case 'file':
        return this.#file(step)
      case 'symlink':
        return this.#symlink(step)
      case 'finish':
        return this.#finish(step)
      case 'remove': {
        const left: DiskStat[] = []
        removeTree(this.#root, staged(step.at), (stat) => left.push(stat))
        return left.length === 0 ? DONE : { status: 'done', left }
      }
      case 'sync': {
        const fault = this.#durability.settle(new Set(step.directories), new Set(step.files))
        return fault === undefined ? DONE : { status: 'failed', ...fault }
      }
      case 'rename':
        return this.#rename(step)
      case 'text':
        return this.#text(step)
      default:
        return assertNever(step)
    }
  }

  #directory({ at }: StepOf<'directory'>): ReleaseStepResult {
    try {
      this.#root.mkdir(staged(at), BUILD_MODE)
    } catch (thrown) {
      if (codeOf(thrown) !== 'EEXIST' || this.#root.lstat(at)?.type !== 'directory') throw thrown
    }
    return DONE
  }

  #file({ from, stat, at, earlier }: StepOf<'file'>): ReleaseStepResult {
    const source = this.#open(from, stat)
    if (source === undefined) return CHANGED
    try {
      const linked = this.#copy(source, staged(at), earlier)
      if (linked !== undefined && sameStat(statOf(fs.fstatSync(source)), stat))
        return { status: 'done', stat: this.#root.lstat(at)!, linked }
      if (linked === undefined) this.#dress(source, at, stat)
      if (sameStat(statOf(fs.fstatSync(source)), stat)) return { status: 'done', stat: this.#root.lstat(at)! }
      this.#root.unlink(at)
      return CHANGED
    } finally {
      fs.closeSync(source)
    }
  }

  /** The file to copy, if it is the one that was looked at. */
  #open(from: RelPath, stat: DiskStat): number | undefined {
    let fd: number
    try {
      fd = this.#root.open(from)
    } catch (thrown) {
      const code = codeOf(thrown)
      if (code === 'ENOENT' || code === 'ELOOP' || thrown instanceof PathFault) return undefined
      throw thrown
    }
    if (sameStat(statOf(fs.fstatSync(fd)), stat)) return fd
    fs.closeSync(fd)
    return undefined
  }

  /** The earlier file that has the name now, too; undefined for a file of its own. */
  #copy(source: number, at: string, earlier: StepOf<'file'>['earlier']): RelPath | undefined {
    if (this.#clone(source, at)) return undefined
    for (const { path, stat } of earlier) if (this.#link(path, stat, at)) return path
    fs.copyFileSync(`/proc/self/fd/${source}`, this.#root.at(at), COPYFILE_EXCL)
    return undefined
  }

  #clone(source: number, at: string): boolean {
    if (!this.#hasClones) return false
    try {
      fs.copyFileSync(`/proc/self/fd/${source}`, this.#root.at(at), COPYFILE_EXCL | COPYFILE_FICLONE_FORCE)
      return true
    } catch (thrown) {
      if (!NO_CLONES.has(codeOf(thrown))) throw thrown
      this.#hasClones = false
      if (this.#root.lstat(at) !== undefined) this.#root.unlink(at)
      return false
    }
  }

  /** Whether an untouched file of an earlier release has got this name as well. */
  #link(path: RelPath, stat: DiskStat, at: string): boolean {
    try {
      const now = this.#root.lstat(path)
      if (now === undefined || !sameStat(now, stat)) return false
      this.#root.link(path, at)
    } catch {
      // Too many names, a path that went, a file system without links: then it is copied.
      return false
    }
    // A write that came between must not get into the release.
    const linked = this.#root.lstat(at)
    if (linked?.ino === stat.ino && linked.mtimeMs === stat.mtimeMs && linked.size === stat.size) return true
    this.#root.unlink(at)
    return false
  }

  #dress(source: number, at: string, stat: DiskStat): void {
    const handle = this.#root.handle(at)
    try {
      copyMetadata(source, handle, stat, mtimeUsOf(stat))
    } finally {
      fs.closeSync(handle)
    }
  }

  #symlink({ from, stat, at }: StepOf<'symlink'>): ReleaseStepResult {
    const isSame = (): boolean => {
      const now = this.#root.lstat(from)
      return now !== undefined && sameStat(now, stat)
    }
    if (!isSame()) return CHANGED
    const target = this.#root.readlink(from)
    if (!isSame()) return CHANGED
    this.#root.symlink(target.toString(), staged(at))
    try {
      fs.lchownSync(this.#root.at(at), stat.uid, stat.gid)
    } catch (thrown) {
      if (codeOf(thrown) !== 'EPERM') throw thrown
    }
    this.#root.setLinkTimes(at, utimesTime(mtimeUsOf(stat)))
    return { status: 'done', stat: this.#root.lstat(at)! }
  }

  #finish({ from, at, mtimeUs }: StepOf<'finish'>): ReleaseStepResult {
    const source = this.#root.openDirectory(from)
    try {
      const handle = this.#root.handle(placed(at))
      try {
        copyMetadata(source, handle, statOf(fs.fstatSync(source)), mtimeUs)
        return { status: 'done', stat: statOf(fs.fstatSync(handle)) }
      } finally {
        fs.closeSync(handle)
      }
    } finally {
      fs.closeSync(source)
    }
  }

  #rename({ from, to }: StepOf<'rename'>): ReleaseStepResult {
    // A directory would take the place of an empty one.
    if (this.#root.lstat(placed(to)) !== undefined)
      return { status: 'failed', code: 'EEXIST', detail: `"${to}" is there already` }
    const moved = this.#root.lstat(placed(from))
    if (moved === undefined) return { status: 'failed', code: 'ENOENT', detail: `"${from}" is not there` }
    // Only who may write to a directory may move it elsewhere.
    const isLocked = moved.type === 'directory' && (moved.mode & 0o300) !== 0o300
    if (isLocked) this.#chmod(from, moved.mode | 0o300)
    this.#root.rename(from, to)
    if (isLocked) this.#chmod(to, moved.mode)
    const fault = this.#durability.settle(new Set([parent(from), parent(to)]), new Set())
    if (fault !== undefined) return { status: 'failed', ...fault }
    return { status: 'done', stat: this.#root.lstat(to)! }
  }

  #chmod(path: string, mode: number): void {
    const handle = this.#root.handle(path)
    try {
      setMode(handle, mode)
    } finally {
      fs.closeSync(handle)
    }
  }

  #text({ at, to, text }: StepOf<'text'>): ReleaseStepResult {
    const fd = this.#root.open(staged(at), O_WRONLY | O_CREAT | O_EXCL, 0o600)
    try {
      fs.writeFileSync(fd, text)
      fs.fchmodSync(fd, 0o644)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    if (this.#root.lstat(placed(to))?.type === 'directory') {
      this.#root.unlink(at)
      return { status: 'failed', code: 'EISDIR', detail: `"${to}" is a directory` }
    }
    this.#root.rename(at, to)
    const fault = this.#durability.settle(new Set([parent(to)]), new Set())
    if (fault !== undefined) return { status: 'failed', ...fault }
    return { status: 'done', stat: this.#root.lstat(to)! }
  }
}

/** The caller's types cannot say it: nothing but the staging area is built in. */
function staged(path: string): string {
  if (!path.startsWith(`${STAGING_DIR}/`)) throw new PathFault('BAD_PATH', 'not in the staging area')
  return path
}

/** In the staging area, or a path of the share. */
function placed(path: string): string {
  const fault = path.startsWith(`${STAGING_DIR}/`) ? undefined : pathFault(path)
  if (fault !== undefined) throw new PathFault('BAD_PATH', fault)
  return path
}

function parent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

function failed(thrown: unknown): ReleaseStepResult {
  return { status: 'failed', ...faultOf(thrown) }
}
