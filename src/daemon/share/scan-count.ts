// How far a look at a whole tree has come, for people who wait for it. Counted, never decided by.

/** Of a look under way. */
export interface ScanProgress {
  /** Files and links whose names were listed. */
  readonly files: number
  /** Bytes of new or changed files found up to now, and of those how many were read. */
  readonly toReadBytes: number
  readonly readBytes: number
}

export class ScanCount {
  #files = 0
  #toReadBytes = 0
  #readBytes = 0

  get progress(): ScanProgress {
    return { files: this.#files, toReadBytes: this.#toReadBytes, readBytes: this.#readBytes }
  }

  /** A new look begins. */
  clear(): void {
    this.#files = 0
    this.#toReadBytes = 0
    this.#readBytes = 0
  }

  listed(): void {
    this.#files++
  }

  toRead(bytes: number): void {
    this.#toReadBytes += bytes
  }

  read(bytes: number): void {
    this.#readBytes += bytes
  }
}
