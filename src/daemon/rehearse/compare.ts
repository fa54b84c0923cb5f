// Compares what a rehearsal has restored with the folder itself: type, content byte by byte, mode, time, and where links lead.
// Owners are compared where whoever runs it could have set them. Only reads.
import fs from 'node:fs'
import path from 'node:path'
import type { Comparison, Difference } from './report.js'

export interface CompareOptions {
  /** The folder. */
  readonly dir: string
  /** What was restored of it. */
  readonly restored: string
  /** Only these files; undefined: all there is on either side. */
  readonly paths: readonly string[] | undefined
  /** Not compared: the share leaves it out. */
  readonly isIgnored: (path: string, isDirectory: boolean) => boolean
  readonly signal: AbortSignal
  readonly onProgress: (done: number) => void
}

const OWN_DIR = '.shoal'
const MAX_LISTED = 1000
const CHUNK_BYTES = 1 << 20
/** Microseconds: times go through floating point on their way. */
const SAME_US = 1

export async function compareFolders(options: CompareOptions): Promise<Comparison> {
  const { paths, signal, onProgress } = options
  const found = { same: 0, bytes: 0, differenceCount: 0 }
  const differences: Difference[] = []
  let done = 0
  for (const at of paths ?? everything(options)) {
    signal.throwIfAborted()
    const what = await differenceAt(options, at)
    if (typeof what === 'number') {
      found.same++
      found.bytes += what
    } else if (what !== undefined) {
      found.differenceCount++
      if (differences.length < MAX_LISTED) differences.push({ path: at, what })
    }
    onProgress(++done)
  }
  return { ...found, differences }
}

/** The bytes of what is the same; undefined for a directory that is; else what differs. */
async function differenceAt(
  { dir, restored }: CompareOptions,
  at: string,
): Promise<string | number | undefined> {
  const [here, there] = [path.join(dir, at), path.join(restored, at)]
  const ours = fs.lstatSync(here, { throwIfNoEntry: false })
  const theirs = fs.lstatSync(there, { throwIfNoEntry: false })
  if (theirs === undefined) return 'missing'
  if (ours === undefined) return 'extra'
  const type = (stats: fs.Stats): number => stats.mode & fs.constants.S_IFMT
  if (type(ours) !== type(theirs)) return 'type'
  if (ours.isSymbolicLink()) {
    if (fs.readlinkSync(here) !== fs.readlinkSync(there)) return 'target'
    return 0
  }
  if ((ours.mode & 0o7777) !== (theirs.mode & 0o7777)) return 'mode'
  const isRoot = process.geteuid?.() === 0
  if (isRoot && (ours.uid !== theirs.uid || ours.gid !== theirs.gid)) return 'owner'
  if (ours.isDirectory()) return undefined
  if (ours.size !== theirs.size) return 'size'
  if (Math.abs(ours.mtimeMs - theirs.mtimeMs) * 1000 > SAME_US) return 'time'
  return (await isSameContent(here, there)) ? ours.size : 'content'
}

async function isSameContent(one: string, other: string): Promise<boolean> {
  const flags = fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW
  const a = await fs.promises.open(one, flags)
  try {
    const b = await fs.promises.open(other, flags)
    try {
      const [ours, theirs] = [Buffer.alloc(CHUNK_BYTES), Buffer.alloc(CHUNK_BYTES)]
      for (let at = 0; ; ) {
        const [x, y] = await Promise.all([read(a, ours, at), read(b, theirs, at)])
        if (x !== y || !ours.subarray(0, x).equals(theirs.subarray(0, y))) return false
        if (x < CHUNK_BYTES) return true
        at += x
      }
    } finally {
      await b.close()
    }
  } finally {
    await a.close()
  }
}

/** Less only where the file ends. */
async function read(file: fs.promises.FileHandle, into: Buffer, from: number): Promise<number> {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, from + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

/** Every path of either side, each once. */
function* everything({ dir, restored, isIgnored }: CompareOptions): Generator<string> {
  yield* below(restored, '', isIgnored)
  for (const at of below(dir, '', isIgnored))
    if (fs.lstatSync(path.join(restored, at), { throwIfNoEntry: false }) === undefined) yield at
}

function* below(root: string, from: string, isIgnored: CompareOptions['isIgnored']): Generator<string> {
  for (const entry of fs.readdirSync(path.join(root, from), { withFileTypes: true })) {
    const at = from === '' ? entry.name : `${from}/${entry.name}`
    // Fifos, sockets and devices are not carried (A7).
    const isCarried = entry.isFile() || entry.isDirectory() || entry.isSymbolicLink()
    if (at === OWN_DIR || !isCarried || isIgnored(at, entry.isDirectory())) continue
    yield at
    if (entry.isDirectory()) yield* below(root, at, isIgnored)
  }
}
