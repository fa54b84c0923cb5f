// One file of a fill: a new name, verified content, what it is to have besides. A file of one batch is written where it
// stays; one of several is put together in the staging area and gets its name with its last.
import fs from 'node:fs'
import type { Dresser } from './dress.js'
import type { FillFile } from './fill-job.js'
import { stagedPath } from './marker.js'
import { codeOf, isUnsupported, type SafeRoot } from './safefs.js'
import { SparseFile } from './sparse.js'
import { TORN_MODE } from './torn-mode.js'
import { utimesTime } from './utimes.js'

export interface Placing {
  readonly root: SafeRoot
  readonly dresser: Dresser
  /** Whether blocks of zeros become holes. */
  readonly isSparse: boolean
}

const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants

class FillFileFault extends Error {
  readonly code: string

  constructor(code: string, detail: string) {
    super(detail)
    this.code = code
  }
}

/** Throws what the system says, EEXIST for a name that is taken, BAD_SIZE; then nothing of it has the name. */
export function fillFile(placing: Placing, file: FillFile, content: Buffer): void {
  const { large, path, size } = file
  if (large === undefined) {
    if (content.length !== size) throw badSize(size)
    fillSmall(placing, file, content)
    return
  }
  const { root } = placing
  const staged = stagedPath(large.token)
  if (large.begin) unlinkIfThere(root, staged)
  const fd = large.begin
    ? root.open(staged, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    : reopen(root, staged, file.at)
  try {
    new SparseFile(fd, large.begin, placing.isSparse).write(content, file.at)
    if (!large.final) return
    if (file.at + content.length !== size || fs.fstatSync(fd).size !== size) throw badSize(size)
    finish(placing, fd, file)
  } finally {
    fs.closeSync(fd)
  }
  takeName(root, staged, path)
}

function fillSmall(placing: Placing, file: FillFile, content: Buffer): void {
  const { root, isSparse } = placing
  const fd = root.open(file.path, O_WRONLY | O_CREAT | O_EXCL, TORN_MODE)
  try {
    new SparseFile(fd, true, isSparse).write(content, 0)
    finish(placing, fd, file)
  } catch (thrown) {
    root.unlink(file.path)
    throw thrown
  } finally {
    fs.closeSync(fd)
  }
}

/** Its mode comes last of what a kill could leave undone and nobody would see. */
function finish({ dresser }: Placing, fd: number, { mode, mtimeUs, dress }: FillFile): void {
  dresser.dress({ fd, isHandle: false, isSeen: false }, { mode, dress })
  const time = utimesTime(mtimeUs)
  fs.futimesSync(fd, time, time)
}

function reopen(root: SafeRoot, staged: string, size: number): number {
  const fd = root.open(staged, O_WRONLY)
  const stats = fs.fstatSync(fd)
  if (stats.isFile() && stats.nlink === 1 && stats.size === size) return fd
  fs.closeSync(fd)
  throw new FillFileFault('STAGED_GONE', 'the staged file is not the one that was begun')
}

function takeName(root: SafeRoot, staged: string, path: string): void {
  try {
    root.renameToFree(staged, path)
    return
  } catch (thrown) {
    if (!isUnsupported(thrown)) throw thrown
  }
  try {
    root.link(staged, path)
  } catch (thrown) {
    if (!isUnsupported(thrown)) throw thrown
    if (root.lstat(path) !== undefined) throw new FillFileFault('EEXIST', 'something has its name')
    root.rename(staged, path)
    return
  }
  root.unlink(staged)
}

function unlinkIfThere(root: SafeRoot, path: string): void {
  try {
    root.unlink(path)
  } catch (thrown) {
    if (codeOf(thrown) !== 'ENOENT') throw thrown
  }
}

function badSize(size: number): FillFileFault {
  return new FillFileFault('BAD_SIZE', `the parts do not make a file of ${size} bytes`)
}
