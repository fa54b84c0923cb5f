// openat(2), statx(2), pread(2) and close(2) through libc. node:fs has no call that takes a directory's descriptor, and by
// /proc/self/fd/N/name the kernel looks up four names more, which takes longer than all else that a small file needs.
// Promises: a stat says what node's says, to the bit, as what was noted of a file by one way is compared with what the other tells (A3);
// nothing is thrown but by close(). Whatever else fails is undefined: node's way is tried then, and tells why.
// Descriptors opened here are closed here: node knows nothing of them, and a thread of its warns of each that it is told to close.
import { endianness } from 'node:os'
import { getSystemErrorName } from 'node:util'
import { type DiskStat, diskTypeOf } from '../core/stat.js'
import { fromLibc, libcErrno } from './libc.js'

/** What is there by its name in a directory that is open, and what is open. Undefined: by another way. */
export interface CallsAt {
  /** Of the name itself, should it be a symlink. A name is one part of a path, well-formed and without NUL. */
  lstat(directory: number, name: string): DiskStat | undefined
  /** A descriptor, closed on exec. */
  open(directory: number, name: string, flags: number): number | undefined
  fstat(fd: number): DiskStat | undefined
  /** Bytes read; 0 at the end of a file. */
  read(fd: number, target: Uint8Array, position: number): number | undefined
  /** What open() gave; it is closed even if this throws. An error has the code that node would give it; EBADF is a bug. */
  close(fd: number): void
}

/** Of every processor that node runs on; node:fs does not name it. */
const O_CLOEXEC = 0o2000000
/** linux/fcntl.h and linux/stat.h. */
const AT_SYMLINK_NOFOLLOW = 0x100
const AT_EMPTY_PATH = 0x1000
const STATX_BASIC_STATS = 0x7ff

/** Where the fields of struct statx stand, in words of 32 bits; of a number of 64 bits its lower half. */
const MASK = 0
const NLINK = 4
const UID = 5
const GID = 6
/** With the file's kind, in the lower half of this word. */
const MODE = 7
const INO = 8
const SIZE = 10
const CTIME = 24
const MTIME = 28
const DEV_MAJOR = 34
const DEV_MINOR = 35
const STATX_BYTES = 256

const words = new Uint32Array(STATX_BYTES / Uint32Array.BYTES_PER_ELEMENT)
const bytes = Buffer.from(words.buffer)

type Statx = (directory: number, path: string, flags: number, mask: number, into: Buffer) => number
type Openat = (directory: number, name: string, flags: number, mode: number) => number
type Pread = (fd: number, into: Uint8Array, count: number, position: number) => number
const boundStatx = fromLibc<Statx>('int statx(int directory, str path, int flags, uint32_t mask, void *into)')
const boundOpenat = fromLibc<Openat>('int openat(int directory, str name, int flags, uint32_t mode)')
const boundPread = fromLibc<Pread>('int64_t pread(int fd, void *into, size_t count, int64_t position)')
const boundClose = fromLibc<(fd: number) => number>('int close(int fd)')

/** Others put halves of numbers together in another order, or have an off_t of 32 bits. */
const PROCESSORS: ReadonlySet<string> = new Set(['x64', 'arm64', 'riscv64', 'loong64', 'ppc64'])
const isServed = endianness() === 'LE' && PROCESSORS.has(process.arch)

export const callsAt: CallsAt = {
  lstat: (directory, name) => stat(directory, name, AT_SYMLINK_NOFOLLOW),
  fstat: (fd) => stat(fd, '', AT_EMPTY_PATH),
  open: (directory, name, flags) => {
    // Nothing is opened that could not be closed.
    if (!isServed || boundClose() === undefined) return undefined
    const fd = boundOpenat()?.(directory, name, flags | O_CLOEXEC, 0) ?? -1
    return fd < 0 ? undefined : fd
  },
  read: (fd, target, position) => {
    if (!isServed) return undefined
    const count = boundPread()?.(fd, target, target.length, position) ?? -1
    return count < 0 ? undefined : count
  },
  close: (fd) => {
    if (boundClose()?.(fd) === 0) return
    const code = getSystemErrorName(-libcErrno())
    // It is closed all the same, and node says nothing of that.
    if (code === 'EINTR') return
    throw Object.assign(new Error(`${code}: cannot close descriptor ${fd}`), { code })
  },
}

function stat(directory: number, name: string, flags: number): DiskStat | undefined {
  if (!isServed || boundStatx()?.(directory, name, flags, STATX_BASIC_STATS, bytes) !== 0) return undefined
  // A file system that does not know all of it: node has its own ways to say so.
  if ((words[MASK]! & STATX_BASIC_STATS) !== STATX_BASIC_STATS) return undefined
  const rawMode = words[MODE]! & 0xffff
  return {
    type: diskTypeOf(rawMode),
    mode: rawMode & 0o7777,
    size: unsigned(SIZE),
    mtimeMs: milliseconds(MTIME),
    ctimeMs: milliseconds(CTIME),
    ino: unsigned(INO),
    dev: deviceOf(words[DEV_MAJOR]!, words[DEV_MINOR]!),
    nlink: words[NLINK]!,
    uid: words[UID]!,
    gid: words[GID]!,
  }
}

function unsigned(at: number): number {
  return words[at + 1]! * 2 ** 32 + words[at]!
}

/** As node has it: two numbers that are each right, added and divided in this order (lib/internal/fs/utils.js, msFromTimeSpec). */
function milliseconds(at: number): number {
  const seconds = (words[at + 1]! | 0) * 2 ** 32 + words[at]!
  return seconds * 1000 + words[at + 2]! / 1e6
}

/** makedev(3) of glibc, as libuv puts it together. */
function deviceOf(major: number, minor: number): number {
  return (major >>> 12) * 2 ** 44 + (minor >>> 8) * 2 ** 20 + ((major & 0xfff) << 8) + (minor & 0xff)
}

/**
 * koffi takes a thread 6 to 14 ms to load, and many live for a few batches. A file that is looked at and opened this way spares some ten
 * microseconds: a thread that has looked at so many may look at more.
 */
const NOT_WORTH = 500
let asked = 0
const isWorth = (): boolean => asked > NOT_WORTH || ++asked > NOT_WORTH

/** The same, undefined as long as it is not worth what it takes this thread to load it. */
export const callsAtWhenWorth: CallsAt = {
  lstat: (directory, name) => (isWorth() ? callsAt.lstat(directory, name) : undefined),
  fstat: (fd) => (isWorth() ? callsAt.fstat(fd) : undefined),
  open: (directory, name, flags) => (isWorth() ? callsAt.open(directory, name, flags) : undefined),
  read: (fd, target, position) => (isWorth() ? callsAt.read(fd, target, position) : undefined),
  close: callsAt.close,
}
