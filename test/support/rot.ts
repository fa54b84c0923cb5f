// Damages a file as a disk does: its bytes are others, and its stat is what it was. On a tmpfs a store into a page that is
// mapped already changes no time of the file; elsewhere every way of writing does.
import fs from 'node:fs'
import { createRequire } from 'node:module'

/** A tmpfs that everybody may write to. */
export const ROT_BASE = '/dev/shm'
const TMPFS_MAGIC = 0x01021994

const PROT_READ_WRITE = 3
const MAP_SHARED = 1

type Pointer = unknown

interface Mapper {
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): Pointer
  munmap(at: Pointer, length: number): number
  /** To and from what is mapped; the number of the C library's functions. */
  memcpy(to: Pointer | Buffer, from: Pointer | Buffer, length: number): unknown
}

let mapper: Mapper | undefined

/** Why files cannot be damaged here, for a test to skip with; undefined: they can. */
export function noRot(): string | undefined {
  try {
    if (fs.statfsSync(ROT_BASE).type !== TMPFS_MAGIC) return `${ROT_BASE} is not a tmpfs`
    fs.accessSync(ROT_BASE, fs.constants.W_OK)
    bind()
    return undefined
  } catch (thrown) {
    return `files cannot be damaged without a trace here: ${(thrown as Error).message}`
  }
}

/** Flips a bit of a byte of a file in ROT_BASE, and checks that its stat has not moved. */
export function rot(file: string, at: number): void {
  const before = fs.statSync(file, { bigint: true })
  const { mmap, munmap, memcpy } = bind()
  const length = Number(before.size)
  const fd = fs.openSync(file, 'r+')
  try {
    const mapped = mmap(null, length, PROT_READ_WRITE, MAP_SHARED, fd, 0)
    const bytes = Buffer.alloc(length)
    // Reading first maps the pages; what is then stored into them is no news to the kernel.
    memcpy(bytes, mapped, length)
    bytes[at]! ^= 1
    memcpy(mapped, bytes, length)
    munmap(mapped, length)
  } finally {
    fs.closeSync(fd)
  }
  const after = fs.statSync(file, { bigint: true })
  if (after.mtimeNs !== before.mtimeNs || after.ctimeNs !== before.ctimeNs)
    throw new Error('the file shows that it was written to: this kernel notes stores into tmpfs')
}

function bind(): Mapper {
  if (mapper !== undefined) return mapper
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const libc = koffi.load(null)
  const bound = {
    mmap: libc.func('void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)'),
    munmap: libc.func('int munmap(void *addr, size_t length)'),
    memcpy: libc.func('void *memcpy(void *to, const void *from, size_t n)'),
  }
  mapper = bound as unknown as Mapper
  return mapper
}
