// Copies for the archive, where a link would not do: a file system may have none, and a file that keeps other names in the
// share can be written to through them, which would change the archived version as well.
import fs from 'node:fs'
import type { DiskStat } from '../core/stat.js'
import { holdInStaging } from './archive.js'
import { type Bench, isTouched } from './commit-bench.js'
import { dressCopy } from './dress.js'
import { LINK_PREFIX } from './marker.js'
import { codeOf, isUnsupported } from './safefs.js'
import { utimesTime } from './utimes.js'

const COPY_BYTES = 1024 * 1024

/**
 * Puts a copy in the place of a name that is held in the archive, so that it shares nothing with the file's other names.
 * Names of one file that a batch displaces become names of one copy. Until the copy is whole, the held name stays.
 */
export function unshare(bench: Bench, held: string): void {
  const { root } = bench
  const stat = root.lstat(held)
  if (stat?.type !== 'file' || stat.nlink === 1) return
  const copied = bench.copies.get(stat.ino)
  let at: string | undefined
  try {
    const isLinked = copied !== undefined && !isTouched(stat, copied.of) && stat.mode === copied.of.mode
    at = isLinked ? linkTo(bench, copied.at) : undefined
    at ??= copyOf(bench, held, stat)
  } catch (thrown) {
    // Without room, or without the right to read it, a link is better than nothing in the archive.
    if (KEEPS_LINK.has(codeOf(thrown))) return
    throw thrown
  }
  root.rename(at, held)
  bench.step('copied', held)
  bench.copies.set(stat.ino, { at: held, of: stat })
}

const KEEPS_LINK: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EACCES', 'EPERM'])

function linkTo(bench: Bench, copy: string): string | undefined {
  try {
    return holdInStaging((place) => bench.link(copy, place), LINK_PREFIX)
  } catch (thrown) {
    if (isUnsupported(thrown) || codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

function copyOf(bench: Bench, held: string, stat: DiskStat): string {
  const from = bench.root.open(held)
  try {
    return holdInStaging((place) => copyTo(bench, from, stat, place), LINK_PREFIX)
  } finally {
    fs.closeSync(from)
  }
}

/** Copies an open file, owner, attributes, mode and mtime too, to a name that must be free (EEXIST), and makes the copy durable. */
export function copyTo(bench: Bench, from: number, stat: DiskStat, to: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants
  const fd = bench.root.open(to, O_WRONLY | O_CREAT | O_EXCL, 0o600)
  try {
    const buffer = Buffer.allocUnsafe(Math.min(COPY_BYTES, Math.max(stat.size, 1)))
    let offset = 0
    for (;;) {
      const count = fs.readSync(from, buffer, 0, buffer.length, offset)
      if (count === 0) break
      for (let done = 0; done < count; ) done += fs.writeSync(fd, buffer, done, count - done, offset + done)
      offset += count
    }
    dressCopy(fd, from, stat)
    const time = utimesTime(Math.round(stat.mtimeMs * 1000))
    fs.futimesSync(fd, time, time)
    fs.fsyncSync(fd)
  } catch (thrown) {
    bench.root.unlink(to)
    throw thrown
  } finally {
    fs.closeSync(fd)
  }
}
