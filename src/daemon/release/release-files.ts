// What this disk has of releases: their manifests and the order which to show, read from the files themselves as the index
// knows them, and how far each release is here.
import fs from 'node:fs'
import type { RelPath } from '../../core/path.js'
import {
  MAX_RELEASE_TEXT,
  type Manifest,
  manifestNameOf,
  manifestPath,
  RELEASES_DIR,
  type ReleaseHold,
  readManifest,
  readOrder,
  releaseDir,
  releaseOf,
  SWITCH_FILE,
  type SwitchOrder,
} from '../../core/release.js'
import { type DiskStat, sameStat, statOf } from '../../core/stat.js'
import type { Decoded } from '../../core/violation.js'
import { SafeRoot } from '../../folder/safefs.js'
import type { ShareContext } from '../share/context.js'

/** A file that was read, and what it looked like then. */
interface Read {
  readonly stat: DiskStat
  readonly value: Manifest | SwitchOrder | undefined
}

export class ReleaseFiles {
  readonly #context: ShareContext
  readonly #read = new Map<RelPath, Read>()

  constructor(context: ShareContext) {
    this.#context = context
  }

  /** Which release is to be shown; undefined: nobody has said so yet, or it cannot be understood. */
  order(): SwitchOrder | undefined {
    return this.#value(SWITCH_FILE, readOrder)
  }

  /** What a release is; undefined: there is no such file here, or it is not one. */
  manifest(name: string): Manifest | undefined {
    return this.#value(manifestPath(name), (text) => readManifest(text, name))
  }

  /** The finished releases that this disk knows, oldest first. */
  manifests(): Manifest[] {
    const { index } = this.#context
    const names = index.diskChildren(RELEASES_DIR).flatMap(({ path }) => manifestNameOf(path) ?? [])
    const found = names.flatMap((name) => this.manifest(name) ?? [])
    return found.sort((a, b) => compare(a.created, b.created) || compare(a.name, b.name))
  }

  /** Names of directories in `releases` that have no manifest. */
  unfinished(): string[] {
    const children = this.#context.index.diskChildren(RELEASES_DIR)
    const names = children.flatMap(({ path, row }) =>
      row.applied.fact.type === 'directory' ? (releaseOf(path) ?? []) : [],
    )
    return names.filter((name) => this.manifest(name) === undefined)
  }

  /** How far a release is here; undefined: the share has none of that name. */
  hold(name: string): ReleaseHold | undefined {
    const { index } = this.#context
    const directory = releaseDir(name)
    const manifest = this.manifest(name)
    if (manifest === undefined) {
      const isThere = [directory, manifestPath(name)].some(
        (path) => index.effective(path).fact.type !== 'absent',
      )
      return isThere ? 'partial' : undefined
    }
    if (index.isWantedBelow(directory)) return 'partial'
    if (index.releases.of(name)?.digest.equals(manifest.digest) === true) return 'complete'
    return index.drifted().some((path) => releaseOf(path) === name) ? 'drifted' : 'changed'
  }

  #value<T extends Manifest | SwitchOrder>(path: RelPath, read: (text: string) => Decoded<T>): T | undefined {
    const row = this.#context.index.disk(path)
    const { stat } = row ?? {}
    if (row?.drift !== undefined || row?.applied.fact.type !== 'file' || stat === undefined) {
      this.#read.delete(path)
      return undefined
    }
    const before = this.#read.get(path)
    if (before !== undefined && sameStat(before.stat, stat)) return before.value as T | undefined
    const text = this.#text(path, stat)
    // Another one by now: whoever looks at it next tells the index.
    if (text === undefined) return undefined
    const decoded = read(text)
    if (decoded.type === 'violation')
      this.#context.problems.set('release', path, 'RELEASE_UNREADABLE', `not understood: ${decoded.detail}`)
    else this.#context.problems.clear('release', path)
    const value = decoded.type === 'ok' ? decoded.value : undefined
    this.#read.set(path, { stat, value })
    return value
  }

  /** Undefined unless the file is the one that the index knows. */
  #text(path: RelPath, stat: DiskStat): string | undefined {
    if (stat.size > MAX_RELEASE_TEXT) return '{}'
    let root: SafeRoot | undefined
    let fd: number | undefined
    try {
      root = new SafeRoot(this.#context.root)
      fd = root.open(path)
      if (!sameStat(statOf(fs.fstatSync(fd)), stat)) return undefined
      return fs.readFileSync(fd, 'utf8')
    } catch (thrown) {
      this.#context.log.debug({ err: thrown, path }, 'cannot read a file of releases now')
      return undefined
    } finally {
      if (fd !== undefined) fs.closeSync(fd)
      root?.close()
    }
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
