// openat2(2), of Linux since 5.6: a directory several parts below another in one call, which itself refuses symlinks, what is mounted
// in the way, and everything that leads out. Node has no such call and libc no function for it, so it is made through libc's syscall()
// (libc.ts); where that cannot be had, or the kernel does not know it, whoever asks has another way.
// Node knows nothing of these descriptors: a thread of its would warn of each that it is told to close, so they are closed here; and
// one that dies by force (of its memory's limit) leaves those open that it has.
import { constants } from 'node:fs'
import { constants as system } from 'node:os'
import { fromLibc, libcErrno } from './libc.js'

/** Directories below another one. */
export interface Beneath {
  /**
   * An O_PATH descriptor of the directory at a relative path below `directory`, closed on exec, on the same mount, and reached
   * through no symlink. Undefined where there is none, for whatever reason, or it cannot be told this way. The path must be well-formed
   * and without NUL; `..` leads no further up than `directory`.
   */
  open(directory: number, path: string): number | undefined
  /** Closes one of those. Throws if it is not open, which is a bug. */
  close(fd: number): void
}

/** The same on every processor, as are all system calls since Linux 5.1; one that counts otherwise (MIPS) knows no such number. */
const SYS_OPENAT2 = 437
/** O_PATH and O_CLOEXEC on every processor that node runs on; node:fs does not name them. */
const FLAGS = 0o10000000 | 0o2000000 | constants.O_DIRECTORY | constants.O_NOFOLLOW
const RESOLVE_NO_XDEV = 0x01
const RESOLVE_NO_MAGICLINKS = 0x02
const RESOLVE_NO_SYMLINKS = 0x04
const RESOLVE_BENEATH = 0x08

/** struct open_how of linux/openat2.h: flags, mode and resolve, 64 bits each. */
const HOW = new BigUint64Array([
  BigInt(FLAGS),
  0n,
  BigInt(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV),
])

/** An older kernel, and filters of system calls that were made for one. */
const UNKNOWN: ReadonlySet<number> = new Set([system.errno.ENOSYS, system.errno.EPERM])

type Syscall = (
  number: number,
  directory: number,
  path: string,
  how: BigUint64Array,
  howBytes: number,
) => number

const boundSyscall = fromLibc<Syscall>(
  'long syscall(long number, long directory, const char *path, const uint64_t *how, size_t how_bytes)',
)
const boundClose = fromLibc<(fd: number) => number>('int close(int fd)')

/** To this thread: another one finds out by a call of its own. */
let isUnknown = false

export const beneath: Beneath = {
  open: (directory, path) => {
    if (isUnknown) return undefined
    const syscall = boundSyscall()
    if (syscall === undefined) return undefined
    const fd = syscall(SYS_OPENAT2, directory, path, HOW, HOW.byteLength)
    if (fd >= 0) return fd
    isUnknown = UNKNOWN.has(libcErrno())
    return undefined
  },
  close: (fd) => {
    if (boundClose()?.(fd) !== 0) throw new Error(`cannot close descriptor ${fd}, which is not open`)
  },
}

/**
 * koffi takes a thread 6 to 14 ms to load, and many live for a few batches: opening so many directories part by part takes some 50
 * microseconds more each, and so as long. Twice as many would cost a thread that lives for long as much again, once.
 */
const NOT_WORTH = 150
let asked = 0

/** The same, undefined as long as it is not worth what it takes this thread to load it. */
export const beneathWhenWorth: Beneath = {
  open: (directory, path) => (++asked <= NOT_WORTH ? undefined : beneath.open(directory, path)),
  close: beneath.close,
}
