// The pid file (`pid_file`): tells init scripts which process this is. It decides nothing, the storage lock does (lock.ts):
// what is found there is either from a process that is gone, and replaced, or names another daemon that runs, which means
// that two configurations share one pid file. What is no pid file is never overwritten: a typing mistake could name any.
import fs from 'node:fs'
import { ShoalError } from '../core/error.js'
import { writeDurably } from './durable-file.js'

export interface PidFile {
  /** Removes it if it is still this process's. */
  remove(): void
}

/** Anyone may read it: scripts of other users ask it whom to signal. */
const MODE = 0o644
/** More than any pid and a line end. */
const MAX_BYTES = 32

/** What is needed of the system; for tests. */
export interface PidHost {
  readonly pid: number
  /** Whether a process of this id runs, and is one of ours. */
  isDaemon(pid: number): boolean
}

/**
 * Writes the pid file, durably. Only with the storage locked. PID_FILE_UNUSABLE if it names another daemon that runs, is
 * no pid file, or cannot be written.
 */
export function writePidFile(file: string, host: PidHost = thisHost): PidFile {
  try {
    const found = pidIn(file)
    if (found === 'other')
      throw new ShoalError('PID_FILE_UNUSABLE', `${file} is there and is no pid file; it was left as it is`)
    if (found !== undefined && found !== host.pid && host.isDaemon(found))
      throw new ShoalError('PID_FILE_UNUSABLE', `${file} is that of another daemon that runs (pid ${found})`)
    writeDurably(file, `${host.pid}\n`, MODE)
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    throw new ShoalError('PID_FILE_UNUSABLE', `cannot write pid_file ${file}: ${(cause as Error).message}`, {
      cause,
    })
  }
  return {
    remove: () => {
      if (pidIn(file) === host.pid) fs.rmSync(file, { force: true })
    },
  }
}

/** The pid in a file; undefined: none there, or an empty one that a crash left; 'other': something else. */
function pidIn(file: string): number | 'other' | undefined {
  const stat = fs.lstatSync(file, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (!stat.isFile() || stat.size > MAX_BYTES) return 'other'
  const text = fs.readFileSync(file, 'utf8').trim()
  if (text === '') return undefined
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : 'other'
}

const thisHost: PidHost = { pid: process.pid, isDaemon }

/** A pid is given again after a while, so the process must also look like a daemon of ours: as bin/shoal starts it, or did before. */
function isDaemon(pid: number): boolean {
  try {
    const words = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return (
      words.includes('run') &&
      words.some((word) => /(^|\/)(shoal|dist\/(program|src)\/cli\/main\.js)$/.test(word))
    )
  } catch {
    // No such process, or /proc shows only one's own: then the lock has said that nobody uses this storage.
    return false
  }
}
