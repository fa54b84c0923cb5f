// Makes what RocksDB has written durable (F5). RocksDB writes its log without fsync; here all logs that may hold
// unsynced writes are fdatasynced, one pass for everyone who waits.
//
// W1. A sync() resolves only after a pass that began after the call.
// W2. A log is left out of later passes only if a pass that began after RocksDB had moved on to a newer log synced it:
//     when RocksDB rotates, the tail of the old log is unsynced, and the newest log alone would not cover it.
// W3. The first failure is final. After a failed fdatasync the kernel may drop the dirty pages and report success next
//     time, so no later success can be believed; every later sync() rejects. A log that could not be opened for want of
//     descriptors was not synced at all, neither well nor badly: that is tried again until it can be, or until stop().
import { basename, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ShoalError } from '../core/error.js'
import { isShortage } from '../core/shortage.js'
import { isAbsent, listLogs, logNumber, syncDirectory } from './files.js'

/** What a pass needs from its surroundings; tests put delays, failures and spies here. */
export interface WriteAheadLogOptions {
  /** The directory that holds RocksDB's numbered logs. */
  readonly directory: string
  /** The path or name of the log that RocksDB writes to now. */
  readonly currentFile: () => Promise<string>
  /** fdatasync of one file; rejects with ENOENT if it is gone. */
  readonly syncFile: (path: string) => Promise<void>
  /** Called once, with the first failure. */
  readonly onFailure: (failure: ShoalError) => void
  /** Milliseconds between two tries to open a log while the process may open no more; 500 unless told. */
  readonly shortageWaitMs?: number
}

const SHORTAGE_WAIT_MS = 500
const NOT_DURABLE = 'cannot make the feed store durable: sync failed'

export class WriteAheadLog {
  readonly #options: WriteAheadLogOptions
  #running: Promise<void> | undefined
  #next: Promise<void> | undefined
  #failure: ShoalError | undefined
  #isStopped = false
  /** Logs that RocksDB has left and that a pass synced after that (W2). */
  readonly #sealed = new Set<string>()
  /** Logs whose directory entry is durable. */
  readonly #named = new Set<string>()

  constructor(options: WriteAheadLogOptions) {
    this.#options = options
  }

  /** Resolves when everything written before the call is on the disk; rejects with IO if that cannot be said. */
  sync(): Promise<void> {
    if (this.#next !== undefined) return this.#next
    if (this.#running === undefined) return this.#start()
    // The running pass may have synced the caller's log before the caller wrote to it (W1).
    const start = (): Promise<void> => this.#start()
    this.#next = this.#running.then(start, start)
    return this.#next
  }

  /** Nobody waits any longer for logs that cannot be opened. */
  stop(): void {
    this.#isStopped = true
  }

  #start(): Promise<void> {
    this.#next = undefined
    this.#running = this.#attempt().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #attempt(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    try {
      await this.#passInTheEnd()
    } catch (thrown) {
      // The next run syncs what is left before it believes any of it (S2).
      if (isNotOpened(thrown)) throw new ShoalError('IO', NOT_DURABLE, { cause: thrown })
      this.#failure = new ShoalError('IO', NOT_DURABLE, {
        cause: thrown,
      })
      this.#options.onFailure(this.#failure)
      throw this.#failure
    }
  }

  async #passInTheEnd(): Promise<void> {
    for (;;) {
      try {
        return await this.#pass()
      } catch (thrown) {
        if (!isNotOpened(thrown) || this.#isStopped) throw thrown
        await setTimeout(this.#options.shortageWaitMs ?? SHORTAGE_WAIT_MS)
      }
    }
  }

  async #pass(): Promise<void> {
    // Asked first: a log that is older than this answer gets no more writes, so syncing it below seals it (W2).
    const current = logNumber(basename(await this.#options.currentFile()))
    const names = await listLogs(this.#options.directory)
    for (const name of names) {
      if (this.#sealed.has(name)) continue
      await this.#syncLog(name)
      if (logNumber(name) < current) this.#sealed.add(name)
    }
    if (names.some((name) => !this.#named.has(name))) {
      await syncDirectory(this.#options.directory)
      for (const name of names) this.#named.add(name)
    }
    this.#forget(new Set(names))
  }

  async #syncLog(name: string): Promise<void> {
    try {
      await this.#options.syncFile(join(this.#options.directory, name))
    } catch (thrown) {
      // RocksDB deletes a log only when all it holds is in synced tables.
      if (!isAbsent(thrown)) throw thrown
    }
  }

  #forget(present: ReadonlySet<string>): void {
    for (const set of [this.#sealed, this.#named]) {
      for (const name of set) if (!present.has(name)) set.delete(name)
    }
  }
}

/** Whether a file or directory was not opened because the process or the machine may open no more. */
function isNotOpened(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !('code' in thrown) || !('syscall' in thrown)) return false
  return isShortage(thrown.code) && (thrown.syscall === 'open' || thrown.syscall === 'scandir')
}
