// Names of one file that a look comes upon: the first is read, the others wait until the index knows what it holds, and are
// then only looked at. So a file with a hundred names is read once, however many of them are new.
import type { DiskStat } from '../../core/stat.js'
import { sameStat } from '../../core/stat.js'
import { isShared } from '../../store/links.js'

interface Named {
  readonly stat: DiskStat
}

export class Twins<Candidate extends Named> {
  readonly #reading = new Map<number, { readonly stat: DiskStat; readonly waiting: Candidate[] }>()

  /** Whether another name of just this file is being read; then `free` gives the candidate back. */
  isWaiting(candidate: Candidate): boolean {
    const { stat } = candidate
    if (!isShared(stat)) return false
    const reading = this.#reading.get(stat.ino)
    if (reading === undefined) this.#reading.set(stat.ino, { stat, waiting: [] })
    else if (sameStat(reading.stat, stat)) {
      reading.waiting.push(candidate)
      return true
    }
    return false
  }

  /** What was read of an inode is known, or could not be read: the candidates that waited for it. */
  free(ino: number): readonly Candidate[] {
    const waiting = this.#reading.get(ino)?.waiting ?? []
    this.#reading.delete(ino)
    return waiting
  }
}
