// What a writer does about releases: makes one from the live tree, says which is to be shown, takes old ones away. One thing
// at a time. Promises: the live tree and releases that are there are never written to; a release has its manifest only when
// all of it is published, and gets its name only when all of it is durable.
import { randomBytes } from 'node:crypto'
import { NO_EXTRA } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { LiveFact } from '../../core/fact.js'
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import { contentIdOf, type PieceInfo, pieceIdOf, sealPiece } from '../../core/piece.js'
import {
  CURRENT_LINK,
  defaultReleaseName,
  expendable,
  type Manifest,
  manifestPath,
  manifestText,
  nextOrder,
  orderText,
  RELEASES_DIR,
  releaseDir,
  releaseNameProblem,
  rollbackOrder,
  SWITCH_FILE,
  type SwitchOrder,
  type SwitchWhen,
} from '../../core/release.js'
import { type DiskStat, mtimeUsOf } from '../../core/stat.js'
import { STAGING_DIR, TREE_PREFIX } from '../../folder/marker.js'
import type { ReleaseStep, ReleaseStepResult } from '../../folder/release-job.js'
import { SafeRoot } from '../../folder/safefs.js'
import { unpackLayout } from '../../store/pieces.js'
import { readAs } from '../share/padding.js'
import type { Publication } from '../share/publisher.js'
import type { ReleaseFiles } from './release-files.js'
import type { ReleaseParts } from './release-parts.js'
import { type LivePath, type ReleasePath, statIn, TreeBuilder } from './tree-builder.js'

/** So often a tree that changes while it is copied is gone over again. */
const MAX_ROUNDS = 6
/** How long other changes may take to be applied here before a release is made. */
const CATCH_UP_MS = 30_000
const POLL_MS = 50
/** How long the folder may take to come to rest, each time that it has to; and for each file, as all may have to be read. */
const REST_MS = 30_000
const REST_MS_PER_FILE = 2
/** Files of so many earlier releases are looked at for sharing: what is unchanged is in the latest. */
const EARLIER = 2
const ADVICE = `make the release when nothing writes there, or have ${IGNORE_FILE} leave that out`
/** Paths named in a message. */
const NAMED = 3

export interface CreateOptions {
  /** Default: the instant in UTC. */
  readonly name?: string | undefined
  /** How many to leave, instead of what the configuration says. */
  readonly keep?: number | undefined
  /** Undefined: nobody is told to show it. */
  readonly when: SwitchWhen | undefined
}

export class ReleaseWriter {
  readonly #parts: ReleaseParts
  readonly #files: ReleaseFiles
  /** Names of releases that some node says it shows. */
  readonly #shown: () => ReadonlySet<string>
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: ReleaseParts, files: ReleaseFiles, shown: () => ReadonlySet<string>) {
    this.#parts = parts
    this.#files = files
    this.#shown = shown
  }

  /**
   * Makes a release of the live tree as it is now. Returns its manifest and what was removed for it. SECRET_GRADE, USAGE,
   * EXISTS, RELEASE_UNFIT, IO, SHARE_HALTED.
   */
  create(options: CreateOptions): Promise<{ manifest: Manifest; removed: string[] }> {
    return this.#inTurn(async () => {
      await this.#mustBeReady()
      const name = this.#nameFor(options.name)
      const keep = options.keep ?? this.#parts.keep() ?? Number.POSITIVE_INFINITY
      // Before: what nodes then have to remove would be in the way of whoever has to roll the new one back.
      const removed = await this.#retain(keep - 1)
      const manifest = await this.#make(name)
      if (options.when !== undefined) await this.#order(this.#next(name, options.when))
      return { manifest, removed: [...removed, ...(await this.#retain(keep))] }
    })
  }

  /** Has all nodes that follow show a release. NOT_FOUND, RELEASE_UNFIT, SECRET_GRADE. */
  switchTo(name: string, when: SwitchWhen): Promise<SwitchOrder> {
    return this.#inTurn(async () => {
      this.#mustWrite()
      this.#mustHold(name)
      return this.#order(this.#next(name, when))
    })
  }

  /** Has them show what was shown before. NOT_FOUND, RELEASE_UNFIT, SECRET_GRADE. */
  rollback(): Promise<SwitchOrder> {
    return this.#inTurn(async () => {
      this.#mustWrite()
      const isThere = (name: string): boolean => this.#files.manifest(name) !== undefined
      const order = rollbackOrder(this.#files.order(), isThere, this.#said())
      if (order === undefined)
        throw new ShoalError(
          'NOT_FOUND',
          'no release was shown before that is still there; see shoal release list',
        )
      this.#mustHold(order.name)
      return this.#order(order)
    })
  }

  /** Takes a release away, or what an unfinished one left. NOT_FOUND, RELEASE_UNFIT, SECRET_GRADE. */
  remove(name: string): Promise<void> {
    return this.#inTurn(async () => {
      this.#mustWrite()
      const order = this.#files.order()
      const { index } = this.#parts.context
      const isThere = [releaseDir(name), manifestPath(name)].some(
        (path) => index.effective(path).fact.type !== 'absent',
      )
      if (releaseNameProblem(name) !== undefined || !isThere)
        throw new ShoalError('NOT_FOUND', 'there is no such release; see shoal release list')
      if (order?.name === name || this.#shown().has(name))
        throw new ShoalError('RELEASE_UNFIT', `cannot remove release ${name}: it is shown, or is to be`)
      await this.#takeAway([name])
      await this.#parts.settle()
    })
  }

  async #inTurn<T>(body: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(body)
    this.#last = mine.catch(() => undefined)
    return mine
  }

  async #mustBeReady(): Promise<void> {
    this.#mustWrite()
    const { context } = this.#parts
    const { index } = context
    await this.#settle()
    if (context.isIgnored(RELEASES_DIR, true))
      throw new ShoalError('USAGE', `${IGNORE_FILE} leaves out "${RELEASES_DIR}", where releases are kept`)
    const there = index.effective(RELEASES_DIR).fact.type
    if (there !== 'absent' && there !== 'directory')
      throw new ShoalError(
        'EXISTS',
        `"${RELEASES_DIR}" in this folder is a ${there}; releases are kept in a folder of that name`,
      )
    if (index.effective(CURRENT_LINK).fact.type !== 'absent' && this.#files.order() === undefined)
      throw new ShoalError(
        'EXISTS',
        `the share has a "${CURRENT_LINK}" of its own, which is where a release is shown; rename it`,
      )
    const until = performance.now() + CATCH_UP_MS
    while (index.counts.needFiles > 0) {
      if (performance.now() > until)
        throw new ShoalError(
          'RELEASE_UNFIT',
          `this device still has ${index.counts.needFiles} paths to bring here`,
        )
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  /** All that the disk has to say is known; not for ever, for a file that is always written to is never read. */
  async #settle(): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const tooLate = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => {
          const detail = `the folder does not come to rest: it is being read still, or something keeps writing to it (${ADVICE})`
          reject(new ShoalError('RELEASE_UNFIT', detail))
        },
        REST_MS + REST_MS_PER_FILE * this.#parts.context.index.counts.files,
      )
    })
    await Promise.race([this.#parts.settle(), tooLate]).finally(() => clearTimeout(timer))
  }

  #mustWrite(): void {
    if (!this.#parts.context.isWriter)
      throw new ShoalError('SECRET_GRADE', 'only a device with the write secret decides about releases')
  }

  #mustHold(name: string): void {
    const hold = releaseNameProblem(name) === undefined ? this.#files.hold(name) : undefined
    if (hold === undefined || this.#files.manifest(name) === undefined)
      throw new ShoalError('NOT_FOUND', 'there is no such release; see shoal release list')
    if (hold === 'partial') throw new ShoalError('RELEASE_UNFIT', `release ${name} is not all here yet`)
    if (hold !== 'complete')
      throw new ShoalError(
        'RELEASE_UNFIT',
        `release ${name} is not what its manifest says: it was changed after it was made`,
      )
  }

  #nameFor(wanted: string | undefined): string {
    const { index } = this.#parts.context
    // Never twice, not even after a removal: what others say of the one must not be taken for the other.
    const isTaken = (name: string): boolean =>
      index.heads(manifestPath(name)).length > 0 || index.effective(releaseDir(name)).fact.type !== 'absent'
    if (wanted === undefined) return defaultReleaseName(this.#parts.nowMs(), isTaken)
    const problem = releaseNameProblem(wanted)
    if (problem !== undefined) throw new ShoalError('USAGE', `a release cannot have this name: ${problem}`)
    if (isTaken(wanted))
      throw new ShoalError(
        'EXISTS',
        `there is, or was, a release ${wanted}, and a name is used once; see shoal release list`,
      )
    return wanted
  }

  async #make(name: string): Promise<Manifest> {
    const finished = this.#files.manifests().map((manifest) => manifest.name)
    const earlier = finished.reverse().filter((old) => this.#files.hold(old) === 'complete')
    const builder = new TreeBuilder(this.#parts.context, name, earlier.slice(0, EARLIER))
    try {
      await this.#build(builder)
      const { paths, digest, files, bytes } = await builder.finish(this.#rootStat())
      await this.#place(name, builder.place, paths)
      if (this.#parts.context.index.releases.of(name)?.digest.equals(digest) !== true)
        throw new ShoalError('RELEASE_UNFIT', `release ${name} was changed while it was published`)
      const created = new Date(this.#parts.nowMs()).toISOString()
      const manifest = { name, created, by: this.#parts.deviceName, files, bytes, digest }
      await this.#putText(manifestPath(name), manifestText(manifest))
      this.#parts.context.log.info({ name, files, bytes }, 'release made')
      return manifest
    } catch (thrown) {
      await this.#tidyUp(builder, name).catch((err: unknown) =>
        this.#parts.context.log.warn({ err, name }, 'cannot tidy up after a release that failed'),
      )
      throw thrown
    }
  }

  async #tidyUp(builder: TreeBuilder, name: string): Promise<void> {
    await builder.discard()
    await this.#takeAway([name])
  }

  /** Copies until nothing has changed from before the copying to after it: what is built was there at one moment. */
  async #build(builder: TreeBuilder): Promise<void> {
    let changed: readonly RelPath[] = []
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (round > 0) await this.#settle()
      const live: ReadonlyMap<RelPath, LivePath> | undefined = await builder.live()
      if (live === undefined) continue
      changed = await builder.bring(live)
      if (changed.length > 0) {
        this.#parts.rescan(
          changed.map((path) => path.slice(0, Math.max(0, path.lastIndexOf('/'))) as RelPath),
        )
        continue
      }
      await this.#settle()
      if (await builder.isCurrent()) return
    }
    const which = changed.length === 0 ? '' : `: ${changed.slice(0, NAMED).join(', ')}`
    throw new ShoalError('RELEASE_UNFIT', `the folder changes faster than it is copied${which} (${ADVICE})`)
  }

  #rootStat(): DiskStat {
    const root = new SafeRoot(this.#parts.context.root)
    try {
      return root.rootStat()
    } finally {
      root.close()
    }
  }

  /** Gives the tree its name and publishes it; nobody looks at it in between, for all of it is known. */
  async #place(name: string, place: string, paths: readonly ReleasePath[]): Promise<void> {
    const { context, withoutLooks, noteMade } = this.#parts
    const { guard } = context
    const own = [RELEASES_DIR, ...paths.map(({ path }) => path)]
    await withoutLooks(async () => {
      guard.startCommit(own)
      try {
        const made = await this.#releasesDir()
        const [moved] = await this.#run([{ type: 'rename', from: place, to: releaseDir(name) }])
        const list = paths.map((each, i) =>
          this.#publication(i === 0 ? { ...each, stat: statIn(moved) } : each),
        )
        await context.publish([...made, ...list])
      } finally {
        guard.endCommit(own)
      }
    })
    for (const { path, fact } of paths) if (fact.type === 'directory') noteMade(path)
    noteMade(RELEASES_DIR)
  }

  /** Makes `releases` if it is not there. */
  async #releasesDir(): Promise<Publication[]> {
    const root = new SafeRoot(this.#parts.context.root)
    try {
      if (root.lstat(RELEASES_DIR) !== undefined) return []
      root.mkdir(RELEASES_DIR, 0o755)
      const stat = root.lstat(RELEASES_DIR)!
      const { mode } = stat
      const fact: LiveFact = { type: 'directory', mode, mtimeUs: mtimeUsOf(stat), extra: NO_EXTRA }
      return [this.#publication({ path: RELEASES_DIR, fact, stat, layout: undefined, more: {} })]
    } finally {
      root.close()
    }
  }

  #publication({ path, fact, stat, layout, more }: ReleasePath): Publication {
    const base = this.#parts.context.index.applied(path).version
    const draft = { path, base, fact, origin: undefined, was: undefined }
    return { draft, pieces: layout === undefined ? [] : unpackLayout(layout), disk: { ...more, stat } }
  }

  #said(): Pick<SwitchOrder, 'by' | 'time'> {
    return { by: this.#parts.deviceName, time: new Date(this.#parts.nowMs()).toISOString() }
  }

  #next(name: string, when: SwitchWhen): SwitchOrder {
    return nextOrder(this.#files.order(), name, { when, ...this.#said() })
  }

  async #order(order: SwitchOrder): Promise<SwitchOrder> {
    await this.#putText(SWITCH_FILE, orderText(order))
    this.#parts.context.log.info({ name: order.name, when: order.when }, 'release to be shown')
    return order
  }

  /** Writes a small file and publishes it at once, whatever else of the share is still to be looked at. */
  async #putText(path: RelPath, text: string): Promise<void> {
    const { context } = this.#parts
    const { guard, index } = context
    guard.startCommit([path])
    try {
      const at = `${STAGING_DIR}/${TREE_PREFIX}${randomBytes(8).toString('hex')}`
      const [written] = await this.#run([{ type: 'text', at, to: path, text }])
      const stat = statIn(written)
      // So small a file is one piece.
      const piece = this.#pieceOf(path, Buffer.from(text))
      const content = contentIdOf([piece.id])
      const { fact: before, version } = index.applied(path)
      const extra = before.type === 'file' ? before.extra : NO_EXTRA
      const { mode, size } = stat
      const fact: LiveFact = { type: 'file', mode, mtimeUs: mtimeUsOf(stat), size, content, extra }
      const draft = { path, base: version, fact, origin: undefined, was: undefined }
      await context.publish([{ draft, pieces: [piece], disk: { stat } }])
      const now = index.applied(path).fact
      if (now.type !== 'file' || !now.content.equals(content))
        throw new ShoalError('IO', `"${path}" could not be published now`)
    } finally {
      guard.endCommit([path])
    }
  }

  #pieceOf(path: RelPath, text: Buffer): PieceInfo {
    const { context } = this.#parts
    const { isPadded } = readAs(context, path, text.length)
    const sealed = sealPiece(context.pieceKeys, text, isPadded)
    const piece = { id: pieceIdOf(sealed), length: sealed.length }
    return isPadded === true ? { ...piece, plain: text.length } : piece
  }

  /** Removes what is too old; what it removed. */
  async #retain(keep: number): Promise<string[]> {
    const releases = this.#files.manifests().map(({ name }) => name)
    const names = expendable({ releases, keep, order: this.#files.order(), shown: this.#shown() })
    await this.#takeAway(names)
    return names
  }

  /** Manifests first: what has none is no release. The scan finds that they are gone. */
  async #takeAway(names: readonly string[]): Promise<void> {
    const { context, rescan } = this.#parts
    const root = new SafeRoot(context.root)
    const isThere = (path: string): boolean => root.lstat(path) !== undefined
    try {
      for (const name of names) {
        const places = [manifestPath(name), releaseDir(name)].filter(isThere)
        for (const from of places) {
          const at = `${STAGING_DIR}/${TREE_PREFIX}${randomBytes(8).toString('hex')}`
          const [, removed] = await this.#run([
            { type: 'rename', from, to: at },
            { type: 'remove', at },
          ])
          const left = removed?.status === 'done' ? (removed.left ?? []) : []
          context.index.transaction(() => {
            for (const stat of left) context.index.noteLinks(stat)
          })
        }
        context.log.info({ name }, 'release removed')
      }
    } finally {
      root.close()
    }
    if (names.length > 0) rescan([RELEASES_DIR])
  }

  async #run(steps: readonly ReleaseStep[]): Promise<ReleaseStepResult[]> {
    const { pool, root, rootIdentity } = this.#parts.context
    const results = await pool.buildRelease(root, steps, rootIdentity())
    for (const result of results)
      if (result.status === 'failed')
        throw new ShoalError(result.code === 'EEXIST' ? 'EXISTS' : 'IO', result.detail)
    return results
  }
}
