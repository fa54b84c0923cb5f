// The log in a file (`shoal run --log-file`): appended to, mode 0600 when made, set aside as FILE.old when it has grown to
// `log_size`, so that at most twice that is on disk. Promises: a log that cannot be written (disk full, folder gone) never
// ends or slows the daemon; what could not be written is counted and told once it can be again, and is not kept in
// memory, as pino's own destination would.
import fs from 'node:fs'
import { ShoalError } from '../core/error.js'
import type { LogSink } from './log.js'

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = fs.constants
const MODE = 0o600

export class LogFile implements LogSink {
  readonly #file: string
  #maxBytes: number
  #fd: number
  #size: number
  /** Only a regular file grows; a device or pipe is written to for ever. */
  #rotates: boolean
  #lost = 0

  /** Throws IO if the file cannot be opened. */
  constructor(file: string, maxBytes: number) {
    this.#file = file
    this.#maxBytes = maxBytes
    try {
      const { fd, size, rotates } = openLog(file)
      this.#fd = fd
      this.#size = size
      this.#rotates = rotates
    } catch (cause) {
      throw new ShoalError('IO', `cannot write the log file ${file}: ${(cause as Error).message}`, { cause })
    }
  }

  /** From the next line on. */
  set maxBytes(bytes: number) {
    this.#maxBytes = bytes
  }

  write(line: string): void {
    try {
      if (this.#rotates && this.#size > 0 && this.#size + Buffer.byteLength(line) > this.#maxBytes)
        this.#rotate()
      if (this.#lost > 0) this.#append(lostLine(this.#lost))
      this.#lost = 0
      this.#append(line)
    } catch {
      // There is nowhere left to say so.
      this.#lost++
    }
  }

  /** Opens the file of that name anew, for whoever has moved it away; goes on with the present one if that fails. */
  reopen(): void {
    try {
      this.#use(openLog(this.#file))
    } catch {
      this.#lost++
    }
  }

  close(): void {
    fs.closeSync(this.#fd)
  }

  #rotate(): void {
    const { mode } = fs.fstatSync(this.#fd)
    try {
      fs.renameSync(this.#file, `${this.#file}.old`)
      this.#use(openLog(this.#file))
      // Who may read the log is the administrator's choice.
      fs.fchmodSync(this.#fd, mode & 0o777)
    } catch {
      // The folder is not ours to change: it grows on, and the next try comes after as much again.
      this.#size = 0
    }
  }

  #use({ fd, size, rotates }: OpenLog): void {
    fs.closeSync(this.#fd)
    this.#fd = fd
    this.#size = size
    this.#rotates = rotates
  }

  #append(text: string): void {
    const bytes = Buffer.from(text)
    // One call may write less than all on a disk that is nearly full.
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(this.#fd, bytes, at)
    this.#size += bytes.length
  }
}

interface OpenLog {
  readonly fd: number
  readonly size: number
  readonly rotates: boolean
}

/** A link is refused: in a folder that others may write to it could lead to any file of this user's. */
function openLog(file: string): OpenLog {
  const fd = fs.openSync(file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, MODE)
  const stat = fs.fstatSync(fd)
  return { fd, size: stat.size, rotates: stat.isFile() }
}

function lostLine(count: number): string {
  const time = new Date().toISOString()
  return `${JSON.stringify({ level: 'warn', time, lines: count, msg: 'lines of this log could not be written' })}\n`
}
