// Looks whether an index can be opened before LMDB does: what is damaged there ends the process by a signal, without a word of which
// file it was or what to do.
// Promises: reads two small blocks of a file that is as long as it says; one that is shorter may be sound all the same (mdb.c: "the
// file may be shorter if the freeDB lists the final pages"), so a process of its own walks through it and says by its end how it went.
// Leaves to others: damage further inside. Whoever meets that ends by a signal; docs/running.md says what to do then.
//
// Of a file (mdb.c, MDB_page, MDB_meta of data version 2; 64 bits, little-endian), pages 0 and 1 are alike, at:
//   0  page number   16 pad u16, flags u16 (8: meta)   24 magic u32, version u32   48 page size u32
//   144 last page    152 number of the transaction that wrote it; the later one counts
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { ShoalError } from '../core/error.js'
import { programFile } from '../ports/program.js'

/** Exit code of lmdb-probe.ts for an index that it read to its end. */
export const PROBED_WELL = 0

const MAGIC = 0xbeefc0de
const META_FLAG = 8
const META_BYTES = 160
const PROBE: string = fileURLToPath(programFile('store/lmdb-probe.js'))
/** A walk through a million rows takes 2 s. */
const PROBE_MS = 10 * 60_000

interface Meta {
  readonly pageBytes: number
  readonly lastPage: number
  readonly transaction: number
}

/** STORAGE_UNUSABLE if what lies in the directory cannot be an index; an empty file, or none, is a new one. */
export function checkLmdb(directory: string): void {
  const file = path.join(directory, 'data.mdb')
  const found = read(file)
  if (found === undefined || found.bytes === 0) return
  const { first, second } = found
  if (first === undefined || second === undefined)
    throw damaged(directory, `${file} does not begin as an index does`)
  const { lastPage } = first.transaction > second.transaction ? first : second
  const needed = (lastPage + 1) * first.pageBytes
  if (found.bytes >= needed || isWholeAnyway(directory)) return
  throw damaged(directory, `${file} ends after ${found.bytes} of ${needed} bytes`)
}

interface Found {
  readonly bytes: number
  /** Of pages 0 and 1; undefined: they are none. */
  readonly first: Meta | undefined
  readonly second: Meta | undefined
}

function read(file: string): Found | undefined {
  let fd: number
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY)
  } catch {
    // There is none, or LMDB says why it cannot be opened.
    return undefined
  }
  try {
    const stat = fs.fstatSync(fd)
    if (!stat.isFile()) return undefined
    const metaAt = (at: number): Meta | undefined => {
      const page = Buffer.alloc(META_BYTES)
      return metaIn(page.subarray(0, fs.readSync(fd, page, 0, META_BYTES, at)))
    }
    const first = metaAt(0)
    return { bytes: stat.size, first, second: first === undefined ? undefined : metaAt(first.pageBytes) }
  } catch (cause) {
    throw new ShoalError('IO', `cannot read the index ${file}: ${(cause as Error).message}`, { cause })
  } finally {
    fs.closeSync(fd)
  }
}

function metaIn(page: Buffer): Meta | undefined {
  if (page.length < META_BYTES) return undefined
  const isMeta = page.readUInt16LE(18) === META_FLAG && page.readUInt32LE(24) === MAGIC
  const meta = {
    pageBytes: page.readUInt32LE(48),
    lastPage: Number(page.readBigUInt64LE(144)),
    transaction: Number(page.readBigUInt64LE(152)),
  }
  return isMeta && meta.pageBytes >= META_BYTES ? meta : undefined
}

function isWholeAnyway(directory: string): boolean {
  const { status } = spawnSync(process.execPath, [PROBE, directory], { stdio: 'ignore', timeout: PROBE_MS })
  return status === PROBED_WELL
}

function damaged(directory: string, how: string): ShoalError {
  return new ShoalError(
    'STORAGE_UNUSABLE',
    `the index is damaged: ${how}; move the folder ${directory} away and start the daemon again: it is built anew from the feeds and the files, which are read once more`,
  )
}
