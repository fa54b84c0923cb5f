// A user who changes a directory at random while a daemon works in it, and remembers what nobody may lose. Every content
// it writes is one of a kind. Whatever it overwrites or removes it first gets hold of, so that it knows exactly which
// contents are gone by its own hand: all others must be found at the end (see lost).
import fs from 'node:fs'
import path from 'node:path'

/** What all meddlers of one test have written and taken away, by content. */
export class Ledger {
  readonly written: Set<string> = new Set()
  readonly taken: Set<string> = new Set()
  #next = 0

  fresh(who: string): string {
    const content = `content ${this.#next++} by ${who}\n`
    this.written.add(content)
    return content
  }

  /** Contents that were written, that nobody took away, and that are in none of these: a tree, and what was thrown away. */
  lost(...directories: readonly string[]): string[] {
    const found = new Set<string>()
    for (const file of directories.flatMap(filesBelow)) found.add(fs.readFileSync(file, 'utf8'))
    return [...this.written].filter((content) => !this.taken.has(content) && !found.has(content))
  }
}

/** Numbers from 0 up to below `limit`, the same for the same seed (mulberry32). */
export function randomOf(seed: number): (limit: number) => number {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit) | 0
  }
}

export class Meddler {
  readonly #directory: string
  readonly #trash: string
  readonly #who: string
  readonly #ledger: Ledger
  readonly #random: (limit: number) => number
  /** What was done, to tell when it went wrong. */
  readonly operations: string[] = []
  #trashed = 0

  /** `trash` is a directory on the same file system, outside the one that is meddled with. */
  constructor(options: {
    readonly directory: string
    readonly trash: string
    readonly who: string
    readonly ledger: Ledger
    readonly random: (limit: number) => number
  }) {
    this.#directory = options.directory
    this.#trash = options.trash
    this.#who = options.who
    this.#ledger = options.ledger
    this.#random = options.random
    fs.mkdirSync(options.trash, { recursive: true })
  }

  /** One change. What is not possible at the moment is not done. */
  step(): void {
    const dice = this.#random(100)
    try {
      if (dice < 30) this.#edit(this.#name())
      else if (dice < 45) this.#create(this.#name())
      else if (dice < 62) this.#remove(this.#name())
      else if (dice < 80) this.#rename(this.#name(), this.#name())
      else if (dice < 86) this.#makeDirectory(this.#name())
      else if (dice < 90) this.#chmod(this.#name())
      else if (dice < 95) this.#replaceByDirectory(this.#name())
      else this.#link(this.#name())
    } catch (thrown) {
      const code = (thrown as NodeJS.ErrnoException).code
      const expected = [
        'ENOENT',
        'ENOTDIR',
        'EISDIR',
        'EEXIST',
        'ENOTEMPTY',
        'EINVAL',
        'ELOOP',
        'EPERM',
        'EACCES',
      ]
      if (code === undefined || !expected.includes(code)) throw thrown
    }
  }

  /** Few names on few levels, so that meddlers meet. */
  #name(): string {
    const depth = 1 + this.#random(3)
    return Array.from({ length: depth }, () => 'abcd'[this.#random(4)]).join('/')
  }

  #at(name: string): string {
    return path.join(this.#directory, name)
  }

  #note(what: string): void {
    this.operations.push(`${new Date().toISOString().slice(17)} ${this.#who}: ${what}`)
  }

  /** In place, through one descriptor: what is overwritten is what was read. */
  #edit(name: string): void {
    const { O_RDWR, O_NOFOLLOW } = fs.constants
    const fd = fs.openSync(this.#at(name), O_RDWR | O_NOFOLLOW)
    try {
      const before = fs.readFileSync(fd, 'utf8')
      const after = this.#ledger.fresh(this.#who)
      this.#note(`edit ${name}: ${before.trim()} -> ${after.trim()}`)
      fs.ftruncateSync(fd)
      fs.writeSync(fd, after, 0)
      this.#ledger.taken.add(before)
    } finally {
      fs.closeSync(fd)
    }
  }

  #create(name: string): void {
    const content = this.#ledger.fresh(this.#who)
    try {
      fs.mkdirSync(path.dirname(this.#at(name)), { recursive: true })
      fs.writeFileSync(this.#at(name), content, { flag: 'wx' })
      this.#note(`create ${name}: ${content.trim()}`)
    } catch (thrown) {
      this.#ledger.written.delete(content)
      throw thrown
    }
  }

  /** By one rename, so that nothing comes in between; what lies in the trash at the end was taken away. */
  #remove(name: string): void {
    const place = path.join(this.#trash, String(this.#trashed++))
    fs.renameSync(this.#at(name), place)
    this.#note(`remove ${name}`)
  }

  #rename(from: string, to: string): void {
    // Plain rename(2) may replace a file, of which nobody would know which one it was: a link first fails instead.
    if (fs.lstatSync(this.#at(from)).isDirectory()) {
      if (fs.existsSync(this.#at(to))) return
      fs.renameSync(this.#at(from), this.#at(to))
    } else {
      fs.linkSync(this.#at(from), this.#at(to))
      fs.unlinkSync(this.#at(from))
    }
    this.#note(`rename ${from} to ${to}`)
  }

  #makeDirectory(name: string): void {
    fs.mkdirSync(this.#at(name), { recursive: true })
    this.#note(`mkdir ${name}`)
  }

  #chmod(name: string): void {
    const isDirectory = fs.lstatSync(this.#at(name)).isDirectory()
    fs.chmodSync(this.#at(name), isDirectory ? 0o750 : 0o640)
    this.#note(`chmod ${name}`)
  }

  #replaceByDirectory(name: string): void {
    this.#remove(name)
    fs.mkdirSync(this.#at(name))
    this.#note(`mkdir in its place ${name}`)
  }

  #link(name: string): void {
    fs.symlinkSync(`to/${this.#random(1000)}`, this.#at(name))
    this.#note(`symlink ${name}`)
  }
}

/** Regular files at and below a path, without `.shoal`. */
function filesBelow(place: string): string[] {
  const stat = fs.lstatSync(place)
  if (stat.isFile()) return [place]
  if (!stat.isDirectory()) return []
  return fs
    .readdirSync(place)
    .filter((name) => name !== '.shoal')
    .flatMap((name) => filesBelow(path.join(place, name)))
}
