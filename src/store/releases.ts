// What this disk holds of each release, kept up to date path by path so that "all of it is here" is one comparison, and the
// digest of all that lies in `releases`, which is what nodes that follow releases alone compare (core/release.ts).
import { TreeDigest } from '../core/digest.js'
import type { LiveFact } from '../core/fact.js'
import type { RelPath } from '../core/path.js'
import { isInReleases, pathInRelease, releaseFingerprint, releaseOf } from '../core/release.js'

/** What this disk holds under a release's name. */
export interface HeldRelease {
  /** Of the tree, 32 bytes. */
  readonly digest: Buffer
  readonly files: number
  readonly bytes: number
}

interface Tally {
  readonly digest: TreeDigest
  paths: number
  files: number
  bytes: number
}

export class HeldReleases {
  readonly #all = new TreeDigest()
  readonly #tallies = new Map<string, Tally>()

  /** A path has come to hold a fact (1), or holds it no longer (-1); `print` is its fingerprint in the share's digest. */
  note(path: RelPath, fact: LiveFact, print: Buffer, sign: 1 | -1): void {
    if (!isInReleases(path)) return
    change(this.#all, print, sign)
    const name = releaseOf(path)
    if (name === undefined) return
    let tally = this.#tallies.get(name)
    if (tally === undefined) {
      tally = { digest: new TreeDigest(), paths: 0, files: 0, bytes: 0 }
      this.#tallies.set(name, tally)
    }
    change(tally.digest, releaseFingerprint(pathInRelease(path, name), fact), sign)
    tally.paths += sign
    if (fact.type === 'file') {
      tally.files += sign
      tally.bytes += sign * fact.size
    }
    if (tally.paths === 0) this.#tallies.delete(name)
  }

  /** Of everything in `releases`, 32 bytes; all zero if there is nothing. */
  digest(): Buffer {
    return this.#all.value()
  }

  /** Undefined if nothing of it is here. */
  of(name: string): HeldRelease | undefined {
    const tally = this.#tallies.get(name)
    return tally === undefined
      ? undefined
      : { digest: tally.digest.value(), files: tally.files, bytes: tally.bytes }
  }

  /** Names under which something is here, in no order. */
  names(): string[] {
    return [...this.#tallies.keys()]
  }
}

function change(digest: TreeDigest, print: Buffer, sign: 1 | -1): void {
  if (sign === 1) digest.add(print)
  else digest.remove(print)
}
