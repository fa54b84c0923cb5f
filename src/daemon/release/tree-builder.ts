// Puts a copy of the share's live tree together in the staging area, as the index has it at one moment: a path that changes
// meanwhile is copied again, and nothing is taken over before all paths are as they were looked at.
import { randomBytes } from 'node:crypto'
import { TreeDigest } from '../../core/digest.js'
import { NO_EXTRA } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import { type LiveFact, sameFact } from '../../core/fact.js'
import { withGroup } from '../../core/link-group.js'
import { depthOf, type RelPath } from '../../core/path.js'
import {
  CURRENT_LINK,
  isInReleases,
  pathInRelease,
  releaseDir,
  releaseFingerprint,
} from '../../core/release.js'
import { type DiskStat, mtimeUsOf, sameStat } from '../../core/stat.js'
import { STAGING_DIR, TREE_PREFIX } from '../../folder/marker.js'
import type { ReleaseStep, ReleaseStepResult } from '../../folder/release-job.js'
import type { Layout } from '../../store/pieces.js'
import type { DiskRow } from '../../store/rows.js'
import type { ShareContext } from '../share/context.js'

/** Rows looked at before others get their turn. */
const WALK_CHUNK = 2048
/** Files copied by one job. */
const STEP_BATCH = 256

/** A path of the live tree as the index has it. */
export interface LivePath {
  readonly fact: LiveFact
  readonly stat: DiskStat
  /** What else the index knows of the file on the disk, which a copy has as well. */
  readonly more: RowDetails
}

/** A row beside what the path is to hold and the stat of the very file. */
export type RowDetails = Omit<DiskRow, 'applied' | 'stat' | 'drift'>

/** What was built of a path. */
interface Built {
  readonly from: LivePath
  /** Undefined for directories, which get theirs at the end. */
  readonly stat: DiskStat | undefined
  /** Of a file. */
  readonly layout: Layout | undefined
}

/** A path of the release, ready to be published. */
export interface ReleasePath {
  readonly path: RelPath
  readonly fact: LiveFact
  readonly stat: DiskStat
  readonly layout: Layout | undefined
  readonly more: RowDetails
}

export class TreeBuilder {
  /** Where it is built, relative to the share's root. */
  readonly place: string
  readonly #context: ShareContext
  readonly #name: string
  /** Releases whose unchanged files may be shared, the newest first. */
  readonly #earlier: readonly string[]
  readonly #built = new Map<RelPath, Built>()
  #isBegun = false

  constructor(context: ShareContext, name: string, earlier: readonly string[]) {
    this.#context = context
    this.#name = name
    this.#earlier = earlier
    this.place = `${STAGING_DIR}/${TREE_PREFIX}${randomBytes(8).toString('hex')}`
  }

  /** The live tree without releases, as the index has it; undefined while something of it is not looked at yet. */
  async live(): Promise<Map<RelPath, LivePath> | undefined> {
    const live = new Map<RelPath, LivePath>()
    let seen = 0
    for (const { path, row } of this.#context.index.diskRows()) {
      if (++seen % WALK_CHUNK === 0) await new Promise((resolve) => setImmediate(resolve))
      const { applied, stat, drift, ...more } = row
      const { fact } = applied
      if (fact.type === 'absent' || this.#isLeftOut(path, fact)) continue
      if (stat === undefined || drift !== undefined) return undefined
      live.set(path, { fact, stat, more })
    }
    return live
  }

  /** Brings what is built in line with the live tree; returns the paths that changed under its hands. */
  async bring(live: ReadonlyMap<RelPath, LivePath>): Promise<RelPath[]> {
    if (!this.#isBegun) await this.#run([{ type: 'directory', at: this.place }])
    this.#isBegun = true
    const outdated = [...this.#built].filter(([path, { from }]) => !isSameLive(live.get(path), from))
    outdated.sort(([a], [b]) => depthOf(b) - depthOf(a))
    await this.#run(outdated.map(([path]) => ({ type: 'remove', at: this.#at(path) })))
    for (const [path] of outdated) this.#built.delete(path)
    const missing = [...live].filter(([path]) => !this.#built.has(path))
    const directories = missing.filter(([, { fact }]) => fact.type === 'directory')
    await this.#run(directories.map(([path]) => ({ type: 'directory', at: this.#at(path) })))
    for (const [path, from] of directories)
      this.#built.set(path, { from, stat: undefined, layout: undefined })
    const changed: RelPath[] = []
    const files = missing.filter(([, { fact }]) => fact.type !== 'directory')
    for (let at = 0; at < files.length; at += STEP_BATCH)
      changed.push(...(await this.#copy(files.slice(at, at + STEP_BATCH))))
    return changed
  }

  /** Whether the live tree is still what was built. */
  async isCurrent(): Promise<boolean> {
    const live = await this.live()
    if (live === undefined || live.size !== this.#built.size) return false
    for (const [path, { from }] of this.#built) if (!isSameLive(live.get(path), from)) return false
    return true
  }

  /** Gives directories their owners, modes and times and makes all of it durable. The release's paths, parents first. */
  async finish(
    rootStat: DiskStat,
  ): Promise<{ paths: ReleasePath[]; digest: Buffer; files: number; bytes: number }> {
    const directories = [...this.#built].filter(([, { from }]) => from.fact.type === 'directory')
    directories.sort(([a], [b]) => depthOf(b) - depthOf(a))
    const results = await this.#run([
      ...directories.map(([path, { from }]): ReleaseStep => {
        return { type: 'finish', from: path, at: this.#at(path), mtimeUs: from.fact.mtimeUs }
      }),
      { type: 'finish', from: '', at: this.place, mtimeUs: mtimeUsOf(rootStat) },
    ])
    const stats = new Map(directories.map(([path], i) => [path, statIn(results[i])]))
    await this.#run([
      {
        type: 'sync',
        directories: [this.place, ...directories.map(([path]) => this.#at(path))],
        files: [...this.#built].flatMap(([path, { from }]) =>
          from.fact.type === 'file' ? this.#at(path) : [],
        ),
      },
    ])
    return this.#paths(stats, statIn(results.at(-1)))
  }

  /** Takes away what was built and not put in place. */
  async discard(): Promise<void> {
    if (this.#isBegun) await this.#run([{ type: 'remove', at: this.place }])
  }

  #paths(
    stats: ReadonlyMap<RelPath, DiskStat>,
    rootStat: DiskStat,
  ): { paths: ReleasePath[]; digest: Buffer; files: number; bytes: number } {
    const digest = new TreeDigest()
    const paths: ReleasePath[] = []
    let files = 0
    let bytes = 0
    const add = (each: ReleasePath): void => {
      const { path, fact } = each
      digest.add(releaseFingerprint(pathInRelease(path, this.#name), fact))
      paths.push(each)
      if (fact.type !== 'file') return
      files++
      bytes += fact.size
    }
    const root = releaseDir(this.#name)
    const { mode } = rootStat
    const fact: LiveFact = { type: 'directory', mode, mtimeUs: mtimeUsOf(rootStat), extra: NO_EXTRA }
    add({ path: root, fact, stat: rootStat, layout: undefined, more: {} })
    for (const [path, { from, stat, layout }] of this.#built) {
      add({
        path: this.#in(path),
        fact: { ...from.fact, extra: withGroup(from.fact.extra, undefined) },
        stat: stat ?? stats.get(path)!,
        layout,
        more: from.more,
      })
    }
    return { paths, digest: digest.value(), files, bytes }
  }

  async #copy(files: readonly (readonly [RelPath, LivePath])[]): Promise<RelPath[]> {
    const steps = files.map(([path, { fact, stat }]): ReleaseStep => {
      const at = this.#at(path)
      if (fact.type === 'symlink') return { type: 'symlink', from: path, stat, at }
      return { type: 'file', from: path, stat, at, earlier: this.#equalOf(path, fact, stat) }
    })
    const results = await this.#run(steps)
    const changed: RelPath[] = []
    this.#context.index.transaction(() => {
      for (const [i, [path, from]] of files.entries()) {
        const result = results[i]!
        if (result.status === 'done' && result.linked !== undefined)
          this.#context.index.noteLinks(result.stat!, result.linked)
        // Its pieces are those of the very content that was copied.
        const row = this.#context.index.disk(path)
        if (result.status !== 'done' || row === undefined || !sameFact(row.applied.fact, from.fact)) {
          changed.push(path)
          continue
        }
        this.#built.set(path, { from, stat: result.stat, layout: this.#context.index.layout(path) })
      }
    })
    return changed
  }

  /** Files of earlier releases that are equal in content and in all that belongs to them. */
  #equalOf(path: RelPath, fact: LiveFact, stat: DiskStat): { path: RelPath; stat: DiskStat }[] {
    const { index } = this.#context
    const bare = { ...fact, extra: withGroup(fact.extra, undefined) }
    return this.#earlier.flatMap((name) => {
      const at = `${releaseDir(name)}/${path}` as RelPath
      const row = index.disk(at)
      if (row?.stat === undefined || row.drift !== undefined || !sameFact(row.applied.fact, bare)) return []
      const { mode, uid, gid } = row.stat
      const isAlike = mode === stat.mode && uid === stat.uid && gid === stat.gid
      return isAlike ? [{ path: at, stat: row.stat }] : []
    })
  }

  /** What failed is an error; what changed is among the results. */
  async #run(steps: readonly ReleaseStep[]): Promise<ReleaseStepResult[]> {
    const { pool, root, rootIdentity } = this.#context
    if (steps.length === 0) return []
    const results = await pool.buildRelease(root, steps, rootIdentity())
    for (const [i, result] of results.entries()) {
      if (result.status !== 'failed') continue
      const step = steps[i]!
      const what = 'from' in step ? step.from : 'at' in step ? step.at : this.place
      throw new ShoalError('IO', `cannot copy "${what}" into release ${this.#name}: ${result.detail}`)
    }
    return results
  }

  #isLeftOut(path: RelPath, fact: LiveFact): boolean {
    if (isInReleases(path) || path === CURRENT_LINK || path.startsWith(`${CURRENT_LINK}/`)) return true
    // A rule may mean a place in releases alone.
    return this.#context.isIgnored(this.#in(path), fact.type === 'directory')
  }

  #at(path: RelPath): string {
    return `${this.place}/${path}`
  }

  #in(path: RelPath): RelPath {
    return `${releaseDir(this.#name)}/${path}` as RelPath
  }
}

function isSameLive(a: LivePath | undefined, b: LivePath): boolean {
  if (a === undefined || !sameFact(a.fact, b.fact)) return false
  // A directory's own time of change says nothing of what is to be copied of it.
  return a.fact.type === 'directory' || sameStat(a.stat, b.stat)
}

/** The stat of what a step made; IO if there is none. */
export function statIn(result: ReleaseStepResult | undefined): DiskStat {
  if (result?.status === 'done' && result.stat !== undefined) return result.stat
  throw new ShoalError('IO', 'the folder changed while the release was made: what was made or copied is gone')
}
