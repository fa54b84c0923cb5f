// Opens the files that configurations and secrets stand in. Promises: one opening, and what is said about the file is
// said of what was opened, so that nobody can change the one for the other in between; no more is read than a
// configuration or a secret can be; nothing of the text is understood here.
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { resolve } from 'node:path'
import { shellWord } from '../core/shell-word.js'

/** Whose a file is and who may do what with it. */
export interface FileFacts {
  /** As it was opened, absolute. */
  readonly path: string
  /** Not a pipe, a terminal, ... */
  readonly isFile: boolean
  readonly uid: number
  readonly gid: number
  /** Permission bits, 0 to 0o7777. */
  readonly mode: number
  /** "device:inode". */
  readonly identity: string
  /** How many names it has. */
  readonly links: number
}

export interface OpenedText {
  readonly text: string
  readonly file: FileFacts
}

const WRITE_BITS = 0o022
/** A pipe of a user's must not hold up root; a user may wait for its own. */
const READ_ONLY: number =
  constants.O_RDONLY | constants.O_NOCTTY | (process.geteuid?.() === 0 ? constants.O_NONBLOCK : 0)
const ALL_BITS = 0o077

/** Reads a text file of at most `maxBytes`. Throws what the system or the decoder says. */
export async function openText(file: string, maxBytes: number): Promise<OpenedText> {
  const opened = await openBytes(file, maxBytes)
  const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(opened.bytes)
  return { text, file: opened.file }
}

/** Reads a file of at most `maxBytes`. Throws what the system says. */
export async function openBytes(
  file: string,
  maxBytes: number,
): Promise<{ readonly bytes: Buffer; readonly file: FileFacts }> {
  const handle = await open(file, READ_ONLY)
  try {
    const stat = await handle.stat({ bigint: true })
    const bytes = await readUpTo(handle, maxBytes + 1)
    if (bytes.length > maxBytes) throw new Error(`longer than ${maxBytes} bytes`)
    return {
      bytes,
      file: {
        path: resolve(file),
        isFile: stat.isFile(),
        uid: Number(stat.uid),
        gid: Number(stat.gid),
        mode: Number(stat.mode) & 0o7777,
        identity: `${stat.dev}:${stat.ino}`,
        links: Number(stat.nlink),
      },
    }
  } finally {
    await handle.close()
  }
}

/**
 * What keeps a file from being `uid`'s own: it belongs to neither that user nor root, others may write it, or, if it
 * `isSecret`, read it. Undefined: nothing, or it is no regular file. Group bits count as others whatever the group: who
 * is in it is not for the file to say, and the rights of access lists show through them.
 */
export function exposure(file: FileFacts, uid: number, isSecret: boolean): string | undefined {
  const { path, mode } = file
  if (!file.isFile) return undefined
  if (file.uid !== 0 && file.uid !== uid)
    return `${path} belongs to another user (uid ${file.uid}), expected root or uid ${uid}: chown ${uid} ${shellWord(path)}`
  if (isSecret && (mode & ALL_BITS) !== 0)
    return `${path} holds a secret and other users have rights to it (mode ${octal(mode)}), expected mode 0600: chmod 600 ${shellWord(path)}`
  if ((mode & WRITE_BITS) !== 0)
    return `${path} can be changed by other users (mode ${octal(mode)}): chmod go-w ${shellWord(path)}`
  return undefined
}

/** "0644" */
export function octal(mode: number): string {
  return mode.toString(8).padStart(4, '0')
}

/** What a failed system call or decoder says, without the path that the caller names anyway. */
export function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a folder'
  if (error instanceof TypeError) return 'it is not UTF-8 text'
  return error.message
}

/** Reads to the end but no further than `maxBytes`; the size in the stat says nothing about a pipe. */
async function readUpTo(handle: FileHandle, maxBytes: number): Promise<Buffer> {
  const bytes = Buffer.alloc(maxBytes)
  let length = 0
  while (length < maxBytes) {
    const { bytesRead } = await handle.read(bytes, length, maxBytes - length, null)
    if (bytesRead === 0) break
    length += bytesRead
  }
  return bytes.subarray(0, length)
}
