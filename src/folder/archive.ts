// The archive: what a commit replaces or removes goes to `.shoal/archive/YYYY-MM-DD/its own path`, with `~2`, `~3`, ...
// where that name is taken (day in UTC, from the caller's clock). A place in it is a "hold": made exclusively, so that
// two workers can never put one thing over another, and made before anything is displaced into it. Where the user wants
// no archive, holds are names in the staging area, and what they hold is removed as soon as it has been checked (A3).
import fs from 'node:fs'
import { threadId } from 'node:worker_threads'
import { suffixedName, takeFirstFree } from './archive-name.js'
import { ARCHIVE_DIR, HELD_PREFIX, STAGING_DIR } from './marker.js'
import { codeOf, type SafeRoot } from './safefs.js'

let heldCount = 0

export class Archive {
  readonly #root: SafeRoot
  readonly #keeps: boolean
  readonly #dayDir: string
  /** A directory of the share to the directory that holds its things today. */
  readonly #directories = new Map<string, string>()
  readonly #touched: Set<string>

  /** `touched` collects directories whose entries change, to be made durable by the caller. */
  constructor(root: SafeRoot, keeps: boolean, atMs: number, touched: Set<string>) {
    this.#root = root
    this.#keeps = keeps
    this.#dayDir = `${ARCHIVE_DIR}/${new Date(atMs).toISOString().slice(0, 10)}`
    this.#touched = touched
  }

  /** Whether what is held stays. */
  get keeps(): boolean {
    return this.#keeps
  }

  /**
   * Takes a place for what is at `path`. `create` makes something of its choice there, and must throw EEXIST if the name
   * is taken (as mkdir, link, symlink and open with O_EXCL do). Returns the place, relative to the root.
   */
  hold(path: string, create: (at: string) => void): string {
    const slash = path.lastIndexOf('/')
    const directory = this.#keeps ? this.#directory(slash < 0 ? '' : path.slice(0, slash)) : STAGING_DIR
    const name = path.slice(slash + 1)
    const place = (count: number): string => `${directory}/${suffixedName(name, count)}`
    const held = this.#keeps
      ? place(
          takeFirstFree(
            (count) => isMade(create, place(count)),
            (count) => this.#exists(place(count)),
          ),
        )
      : holdInStaging(create)
    this.#touched.add(directory)
    return held
  }

  /** A place that is reserved with an empty file, for a rename to it. */
  reserve(path: string): string {
    return this.hold(path, (at) => makeEmpty(this.#root, at))
  }

  /** What is held has been checked: keeps it, and says where relative to the archive, or removes it. */
  settle(held: string): string | undefined {
    if (this.#keeps) return held.slice(ARCHIVE_DIR.length + 1)
    this.#root.unlink(held)
    return undefined
  }

  #exists(path: string): boolean {
    return this.#root.lstat(path) !== undefined
  }

  /** Makes the directory for the things of `path`; where a file of today has its name, beside that. */
  #directory(path: string): string {
    const known = this.#directories.get(path)
    if (known !== undefined) return known
    let made: string
    if (path === '') made = this.#makeDirectory(this.#dayDir)
    else {
      const slash = path.lastIndexOf('/')
      const parent = this.#directory(slash < 0 ? '' : path.slice(0, slash))
      made = this.#makeDirectory(`${parent}/${path.slice(slash + 1)}`)
    }
    this.#directories.set(path, made)
    return made
  }

  #makeDirectory(wanted: string): string {
    const slash = wanted.lastIndexOf('/')
    const parent = wanted.slice(0, slash)
    const name = wanted.slice(slash + 1)
    for (let count = 1; ; count++) {
      const path = `${parent}/${suffixedName(name, count)}`
      const type = this.#root.lstat(path)?.type
      if (type === 'directory') return path
      if (type !== undefined) continue
      if (!isMade((at) => this.#root.mkdir(at, 0o700), path)) {
        // Another worker made it, or a file, at this moment: look again.
        count--
        continue
      }
      this.#touched.add(parent)
      return path
    }
  }
}

/** A place in the staging area that is reserved with an empty file, for a rename to it. */
export function reserveInStaging(root: SafeRoot): string {
  return holdInStaging((at) => makeEmpty(root, at))
}

function makeEmpty(root: SafeRoot, path: string): void {
  const { O_WRONLY, O_CREAT, O_EXCL } = fs.constants
  fs.closeSync(root.open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600))
}

/** A name in the staging area that no other thread or earlier process has: `prefix`, then something unique. */
export function holdInStaging(create: (at: string) => void, prefix: string = HELD_PREFIX): string {
  for (;;) {
    const path = `${STAGING_DIR}/${prefix}${process.pid}-${threadId}-${heldCount++}`
    if (isMade(create, path)) return path
  }
}

function isMade(create: (at: string) => void, path: string): boolean {
  try {
    create(path)
    return true
  } catch (thrown) {
    if (codeOf(thrown) === 'EEXIST') return false
    throw thrown
  }
}
