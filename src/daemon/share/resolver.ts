// Conflict copies (V5), and how a person ends them: by ordinary operations on this disk, which the next look at it publishes
// like any change of the user's. Promises: what is not kept is in the archive before anything takes its place, whatever
// `use_sync_trash` and its limits say, since a person's word cannot be taken back; a crash between any two system calls
// leaves both contents, in the tree or the archive; nothing is done to a file that is not as the index has it (A3).
//
//   'this'   the copy goes to the archive
//   'other'  the path becomes a second name of the copy, which puts what stood there into the archive by one exchange of
//            names (folder/commit-replace.ts); then the copy's own name goes. Where files cannot have two names, what stands
//            at the path goes to the archive first, and the copy is renamed.
//   'both'   the copy gets a free name that is no conflict copy's
import { keptPath, originalOf } from '../../core/conflict.js'
import { ShoalError } from '../../core/error.js'
import { blake3 } from '../../core/hash.js'
import { parentOf, type RelPath } from '../../core/path.js'
import type { DiskStat } from '../../core/stat.js'
import type { Effective } from '../../core/tree.js'
import type { CommitJob, CommitResult, Expect } from '../../folder/commit-job.js'
import { ARCHIVE_DIR } from '../../folder/marker.js'
import { isUnsupportedCode } from '../../folder/safefs.js'
import type { ShareContext } from './context.js'
import { scopeOf } from './dressing.js'
import { slipNameOf } from './slip-name.js'

export type Keep = 'this' | 'other' | 'both'

/** A conflict copy and the path it belongs to, as the share says they are. */
export interface Conflict {
  readonly path: RelPath
  readonly copy: RelPath
  readonly kept: Effective
  readonly other: Effective
  /** Another one as soon as either is; 16 hex digits. */
  readonly id: string
}

export interface Resolution {
  readonly path: RelPath
  /** Where the copy's content lies now; undefined: only in the archive. */
  readonly at: RelPath | undefined
  /** Below the share's folder; undefined if nothing had to go. */
  readonly archived: string | undefined
}

export interface ResolverOptions {
  /** Throws if nothing must be changed now. */
  readonly mustRun: () => void
  /** Has directories looked at; resolves when what changed there is published. */
  readonly settled: (directories: readonly (RelPath | '')[]) => Promise<void>
}

/** Names tried for a copy that stays. */
const MAX_NAMES = 999
/** Publishing is waited for so long: a folder that is always written to need not come to rest. */
const MAX_SETTLE_MS = 10_000
const ID_BYTES = 8

export class Resolver {
  readonly #context: ShareContext
  readonly #nowMs: () => number
  readonly #o: ResolverOptions
  #running: Promise<unknown> = Promise.resolve()

  constructor(context: ShareContext, nowMs: () => number, options: ResolverOptions) {
    this.#context = context
    this.#nowMs = nowMs
    this.#o = options
  }

  /** All conflict copies in the tree. */
  list(): Conflict[] {
    return [...this.#context.index.conflicts.copies].map((copy) => this.#conflict(copy))
  }

  /**
   * Ends one. `id`, if given, must still be its id. One after the other. NOT_FOUND: no such copy; SECRET_GRADE: this device
   * does not write; CONFLICT: it is not as it was, or not as the share says; SHARE_HALTED; IO.
   */
  resolve(copy: RelPath, keep: Keep, id?: string): Promise<Resolution> {
    const mine = this.#running.then(() => this.#resolve(copy, keep, id))
    this.#running = mine.catch(() => undefined)
    return mine
  }

  #conflict(copy: RelPath): Conflict {
    const { index } = this.#context
    const path = originalOf(copy)
    const [kept, other] = [index.effective(path), index.effective(copy)]
    const state = JSON.stringify([copy, kept.version, other.version])
    return { path, copy, kept, other, id: blake3(Buffer.from(state)).toString('hex', 0, ID_BYTES) }
  }

  async #resolve(copy: RelPath, keep: Keep, id: string | undefined): Promise<Resolution> {
    const { index, isWriter, log, checkRoot } = this.#context
    this.#o.mustRun()
    if (!isWriter)
      throw new ShoalError(
        'SECRET_GRADE',
        'conflicts are settled on a device with the write secret: what is changed here goes nowhere',
      )
    if (!index.conflicts.copies.has(copy))
      throw new ShoalError('NOT_FOUND', `there is no conflict copy at ${copy}`)
    const conflict = this.#conflict(copy)
    if (id !== undefined && id !== conflict.id)
      throw refused(copy, 'one of the two versions has become another one')
    const halt = await checkRoot()
    if (halt !== undefined) throw new ShoalError('SHARE_HALTED', halt)
    const copyStat = this.#statOf(copy, copy)
    if (copyStat === undefined) throw refused(copy, 'it is not on this disk')
    if (copyStat.type === 'directory') throw refused(copy, 'it is a directory: move what it holds by hand')
    const resolution = await this.#carryOut(conflict, copyStat, keep)
    log.info({ copy, keep, ...resolution }, 'a conflict was resolved')
    return resolution
  }

  /** What this disk has at a path; CONFLICT unless that is what the share says. */
  #statOf(path: RelPath, copy: RelPath): DiskStat | undefined {
    const { step, row } = this.#context.index.need(path)
    if (step.type !== 'none') throw refused(copy, `the newest version of ${path} is not here yet`)
    if (row?.drift !== undefined) throw refused(copy, `${path} was changed here`)
    return row?.stat
  }

  async #carryOut({ path, copy }: Conflict, copyStat: DiskStat, keep: Keep): Promise<Resolution> {
    const atMs = this.#nowMs()
    const release = await this.#context.useArchive(atMs)
    try {
      switch (keep) {
        case 'this': {
          // Lest the archive is all that is left of both.
          if (this.#statOf(path, copy) === undefined) throw refused(copy, `nothing stands at ${path}`)
          const [archived] = await this.#run(copy, [this.#removal(copy, copyStat)], atMs)
          return { path, at: undefined, archived }
        }
        case 'other':
          return { path, at: path, archived: await this.#swap(path, copy, copyStat, atMs) }
        case 'both':
          return { path, at: await this.#rename(copy, copyStat, atMs), archived: undefined }
      }
    } finally {
      release()
      await this.#settle([parentOf(path), parentOf(copy)])
    }
  }

  /** Gives the copy the name of the path; where what stood there is now. */
  async #swap(path: RelPath, copy: RelPath, from: DiskStat, atMs: number): Promise<string | undefined> {
    const stat = this.#statOf(path, copy)
    const rename: CommitJob = { type: 'displace', path: copy, to: path, expect: expecting(from) }
    // Two names of one file already: a crash came between the two halves, and what stood here is in the archive.
    if (stat === undefined || isSameFile(stat, from)) {
      await this.#run(copy, [rename], atMs, path)
      return undefined
    }
    if (stat.type === 'directory')
      throw refused(copy, `${path} is a directory by now: move it away, or keep both`)
    const replacing = { ...replacement(path, stat), path, expect: expecting(stat) }
    if (from.type === 'file')
      try {
        const link: CommitJob = { type: 'link', from: copy, fromStat: from, ...replacing }
        const [archived] = await this.#run(copy, [link, rename], atMs, path)
        return archived
      } catch (thrown) {
        // Nothing was done: files cannot have two names here.
        if (!(thrown instanceof ShoalError) || !isUnsupportedCode(String(thrown.details.code))) throw thrown
      }
    const [archived] = await this.#run(copy, [this.#removal(path, stat)], atMs, path)
    await this.#run(copy, [rename], atMs, path)
    return archived
  }

  /** Gives the copy a free name that is no conflict copy's. */
  async #rename(copy: RelPath, stat: DiskStat, atMs: number): Promise<RelPath> {
    const { index, isIgnored } = this.#context
    for (let count = 1; count <= MAX_NAMES; count++) {
      const to = keptPath(copy, count)
      if (isIgnored(to, false)) throw refused(copy, `the ignore rules would leave out ${to}`)
      if (index.effective(to).fact.type !== 'absent' || index.disk(to)?.stat !== undefined) continue
      try {
        await this.#run(copy, [{ type: 'displace', path: copy, to, expect: expecting(stat) }], atMs, to)
        return to
      } catch (thrown) {
        if (!(thrown instanceof ShoalError) || thrown.details.code !== 'EEXIST') throw thrown
      }
    }
    throw refused(copy, 'all names for it are taken')
  }

  #removal(path: RelPath, stat: DiskStat): CommitJob {
    return { type: 'remove', path, expect: expecting(stat), ...replacement(path, stat) }
  }

  /** Runs jobs in one batch; where each put what it replaced, below the share's folder. Throws for the first that failed. */
  async #run(
    copy: RelPath,
    jobs: readonly CommitJob[],
    atMs: number,
    other: RelPath = copy,
  ): Promise<(string | undefined)[]> {
    const { index, guard, pool, root, rootIdentity, metadata, problems } = this.#context
    const paths = [copy, other]
    const expectRoot = rootIdentity()
    const scope = scopeOf(metadata)
    guard.startCommit(paths)
    let results: CommitResult[]
    try {
      results = await pool.commit(root, jobs, {
        archive: true,
        atMs,
        ...(expectRoot === undefined ? {} : { expectRoot }),
        ...(scope === undefined ? {} : { scope }),
      })
    } finally {
      guard.endCommit(paths)
    }
    index.transaction(() => {
      for (const [at, result] of results.entries())
        if (result.status === 'done' && result.archived !== undefined)
          index.noteArchived(jobs[at]!.path, result.archived)
    })
    for (const [at, result] of results.entries()) {
      if (result.status !== 'done') throw failure(copy, result)
      // A version of the user's slipped in and lies in our own folder.
      const { problem } = result
      if (problem !== undefined) problems.set('apply', jobs[at]!.path, problem.code, problem.detail)
    }
    return results.map((result) =>
      result.status === 'done' && result.archived !== undefined
        ? `${ARCHIVE_DIR}/${result.archived}`
        : undefined,
    )
  }

  async #settle(directories: readonly (RelPath | '')[]): Promise<void> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, MAX_SETTLE_MS).unref()
    })
    await Promise.race([this.#o.settled(directories), late])
    clearTimeout(timer)
  }
}

function isSameFile(one: DiskStat, other: DiskStat): boolean {
  return one.type === 'file' && one.ino === other.ino && one.dev === other.dev
}

function expecting(stat: DiskStat): Expect {
  return { type: 'stat', stat }
}

/** A file with other names gets a copy into the archive: a write through one of them would change that file, too. */
function replacement(
  path: RelPath,
  stat: DiskStat,
): { readonly archive: true; readonly copyOld?: true; readonly slipName: string } {
  const isShared = stat.type === 'file' && stat.nlink > 1
  return { archive: true, ...(isShared ? { copyOld: true } : {}), slipName: slipNameOf(path, stat) }
}

function refused(copy: RelPath, why: string): ShoalError {
  return new ShoalError('CONFLICT', `cannot resolve ${copy}: ${why}; nothing was done`)
}

function failure(copy: RelPath, result: Exclude<CommitResult, { readonly status: 'done' }>): ShoalError {
  switch (result.status) {
    case 'changed':
      return new ShoalError('CONFLICT', `cannot resolve ${copy}: somebody changes these files at this moment`)
    case 'blocked':
      return new ShoalError('CONFLICT', `cannot resolve ${copy}: ${result.code}`, {
        details: { code: result.code },
      })
    case 'failed':
      return new ShoalError('IO', `cannot resolve ${copy}: ${result.detail}`, {
        details: { code: result.code },
      })
  }
}
