// Has the disk write what a restore has made while the next of it is made: the one sync in the end, before which nothing is
// acknowledged, then waits for the rest alone. All of them go by one descriptor that was opened before anything was written,
// since the system tells what failed to be written back only once, and only to who was there (errseq in the Linux kernel).
import fs from 'node:fs'
import type { RootIdentity } from '../../folder/scan.js'
import { syncfsAside } from '../../folder/syncfs.js'

/** Some seconds for a slow disk, not much more than a commit of its journal for a fast one. */
const STEP_BYTES = 128 << 20

export class SyncAhead {
  readonly #fd: number
  readonly #sync: typeof syncfsAside
  #bytes = 0
  #hasFailed = false
  #running: Promise<void> | undefined

  /** Throws what open(2) says. `sync`: for tests. */
  constructor(dir: string, sync: typeof syncfsAside = syncfsAside) {
    this.#fd = fs.openSync(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY)
    this.#sync = sync
  }

  /** Of the directory that was opened. */
  get root(): RootIdentity {
    const { dev, ino } = fs.fstatSync(this.#fd)
    return { dev, ino }
  }

  /** So much more was written. */
  wrote(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes < STEP_BYTES || this.#running !== undefined || this.#hasFailed) return
    this.#bytes = 0
    const end = (isSynced: boolean | undefined): void => {
      if (isSynced === false) this.#hasFailed = true
      this.#running = undefined
    }
    // What could not even be asked for is not known to be written.
    this.#running = this.#sync(this.#fd).then(end, () => end(false))
  }

  /**
   * Waits until all is durable. False: something could not be written, and another sync might say nothing of it any more;
   * undefined: not known.
   */
  async finish(): Promise<boolean | undefined> {
    await this.#running
    return this.#hasFailed ? false : this.#sync(this.#fd)
  }

  /** Does not wait for a sync that is under way. */
  close(): void {
    const close = (): void => fs.closeSync(this.#fd)
    if (this.#running === undefined) close()
    else void this.#running.finally(close)
  }
}
