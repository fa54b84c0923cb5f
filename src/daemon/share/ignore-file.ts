// The share's ignore rules: read from the file at its root, which is itself synced, and brought to bear on the index; with
// what a node leaves alone because it follows releases.
import fs from 'node:fs'
import path from 'node:path'
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import { CURRENT_LINK, isInReleases } from '../../core/release.js'
import { IgnoreRules, MAX_IGNORE_BYTES } from '../../folder/ignore.js'
import type { Log } from '../../ports/log.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { ShareMeta } from './meta.js'
import type { ProblemBook } from './problems.js'

/** What a node leaves alone besides, as long as it runs. */
export interface ScopeRules {
  /** It holds the share's releases alone, and the rules themselves. */
  readonly followsReleases: boolean
  /** Whether the share has releases that are shown: then `current` is each node's own. */
  hasReleases(): boolean
}

const WHOLE_SHARE: ScopeRules = { followsReleases: false, hasReleases: () => false }

export class IgnoreFile {
  readonly #file: string
  readonly #index: ShareIndex
  readonly #meta: ShareMeta
  readonly #problems: ProblemBook
  readonly #log: Log
  readonly #scope: ScopeRules
  #rules: IgnoreRules = IgnoreRules.none

  constructor(
    dir: string,
    index: ShareIndex,
    meta: ShareMeta,
    problems: ProblemBook,
    log: Log,
    scope: ScopeRules = WHOLE_SHARE,
  ) {
    this.#file = path.join(dir, IGNORE_FILE)
    this.#index = index
    this.#meta = meta
    this.#problems = problems
    this.#log = log
    this.#scope = scope
  }

  ignores(path: RelPath, isDirectory: boolean): boolean {
    if (this.#scope.followsReleases && !isInReleases(path) && path !== IGNORE_FILE) return true
    if (path === CURRENT_LINK && this.#scope.hasReleases()) return true
    return this.#rules.ignores(path, isDirectory)
  }

  /** Reads the file again. Returns whether the rules are others than before, so that the disk has to be looked at. */
  load(): boolean {
    const text = this.#read()
    const before = this.#meta.ignoreText
    this.#rules = IgnoreRules.parse(text)
    this.#problems.clear('scan', IGNORE_FILE)
    for (const { line, pattern, detail } of this.#rules.problems) {
      this.#problems.set('scan', IGNORE_FILE, 'IGNORE_RULE', `line ${line} (${pattern}): ${detail}`)
    }
    const { followsReleases } = this.#scope
    const isScopeNew = this.#meta.followsReleases !== followsReleases
    if (before === text && !isScopeNew) return false
    this.#index.transaction(() => {
      this.#index.setIgnored((path, isDirectory) => this.ignores(path, isDirectory))
      this.#meta.ignoreText = text
      this.#meta.followsReleases = followsReleases
    })
    return isScopeNew || before !== undefined || text !== ''
  }

  #read(): string {
    try {
      const stat = fs.lstatSync(this.#file)
      return stat.isFile() && stat.size <= MAX_IGNORE_BYTES ? fs.readFileSync(this.#file, 'utf8') : ''
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException
      if (code === 'ENOENT') return ''
      // Rules that cannot be read now are not rules that are gone: without them, all they keep out would be published.
      this.#log.warn({ err: thrown }, 'cannot read ignore rules')
      return this.#meta.ignoreText ?? ''
    }
  }
}
