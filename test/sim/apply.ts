// A simulated apply, in the daemon's order: stage contents (from this disk, the archive or a node in reach), note what is
// about to be done, exchange each path against what is there, put the times of directories back, and record all of it in
// one transaction. A crash or a user may come between any two steps.

import { ABSENT, type Fact, type LiveFact, sameFact } from '../../src/core/fact.js'
import type { Observation } from '../../src/core/metadata.js'
import { depthOf, parentOf, type RelPath } from '../../src/core/path.js'
import { phaseOf } from '../../src/core/plan.js'
import { isAsShown } from '../../src/core/shown.js'
import { type DiskStat, mtimeUsOf, sameStat } from '../../src/core/stat.js'
import type { DiskRow } from '../../src/store/rows.js'
import { type Content, contentOfPieces } from './contents.js'
import { bytesOf, type Inode } from './disk.js'
import { type Move, moveOf, pathsOf, type Task, withMoves } from './moves.js'
import { type SimNode, tokenOf, type Work } from './node.js'
import { currentFact } from './scan.js'
import { setMetadata } from './set-metadata.js'
import { directoriesTouched } from './touched.js'
import { attributesSeen, dressing } from './wardrobe.js'

interface Done {
  readonly task: Task
  /** Undefined: it was not done. 'touched': it was, and the user has written into it meanwhile. */
  readonly stat: DiskStat | 'gone' | 'touched' | undefined
  readonly archived: string | undefined
  /** What it shows of attributes, with the stat. */
  readonly attributes: Buffer | undefined
}

/** Applies as many of the wanted paths as can be applied now. */
export function* applyOnce(node: SimNode): Work {
  const { random } = node.world
  const wanted = node.index.wantedAfter(undefined, 1000)
  const chosen =
    node.isThorough || random.chance(0.4) ? wanted : random.shuffled(wanted).slice(0, 1 + random.below(4))
  const tasks: Task[] = []
  for (const path of chosen) {
    const task = planned(node, path)
    if (task === undefined) continue
    const isStaged = task.content !== undefined && node.disk.staging.has(tokenOf(path, task.content))
    if (task.content !== undefined && !isStaged && moveOf(node, task) === undefined) {
      if (!canGather(node, task.content)) continue
      if (random.chance(0.3)) yield
      node.disk.staging.set(tokenOf(path, task.content), task.content)
    }
    tasks.push(task)
  }
  const current = tasks.flatMap((task) => {
    const now = node.rules.plansAgain ? planned(node, task.path) : task
    return now === undefined || !isSameResult(now, task) || mustWait(node, now) ? [] : [now]
  })
  const ready = withMoves(node, current)
  // What is in a directory waits for it: its times cannot be put back while the index does not know it.
  const made = new Set<string>(ready.flatMap(({ path, step }) => (step.type === 'mkdir' ? [path] : [])))
  const known = ready.filter(({ path }) => made.has(parentOf(path)) || isKnownDirectory(node, parentOf(path)))
  if (known.length > 0) yield* commit(node, known)
}

function planned(node: SimNode, path: RelPath): Task | undefined {
  const { index } = node
  const step = index.step(path)
  if (step.type === 'none' || step.type === 'adopt') return undefined
  const share = index.effective(path)
  const pieces = step.type === 'write' && share.entry !== undefined ? index.piecesOf(share.entry) : undefined
  return {
    path,
    step,
    version: share.version,
    content: pieces === undefined ? undefined : contentOfPieces(pieces),
  }
}

function isKnownDirectory(node: SimNode, path: RelPath | ''): boolean {
  if (path === '') return true
  const row = node.index.disk(path)
  return row?.stat !== undefined && currentFact(row).type === 'directory'
}

/** Whether a task still is what was staged for; a scan may have made another version the newest meanwhile. */
function isSameResult(now: Task, task: Task): boolean {
  return now.step.type === task.step.type && sameFact(resultOf(now) ?? ABSENT, resultOf(task) ?? ABSENT)
}

function canGather(node: SimNode, content: Content): boolean {
  return content.pieces.every(
    (piece) => node.holds(piece) || node.holdsArchived(piece.id) || node.world.canFetch(node, piece),
  )
}

/** Whether something has to happen first, above all, the copying of content that this would destroy (P3, V5). */
function mustWait(node: SimNode, { path, step }: Task): boolean {
  const goesFirst = step.type !== 'mkdir' && step.type !== 'metadata'
  if (goesFirst && currentFact(node.index.disk(path)).type === 'directory') {
    if (node.index.diskChildren(path).some(({ row }) => currentFact(row).type !== 'absent')) return true
  }
  if (node.inFlight.has(path) || node.inFlight.has(parentOf(path) as RelPath)) return true
  if (!node.rules.waitsForContent || step.type === 'metadata') return false
  if (node.index.conflicts.holdsLoser(path)) return true
  const before = currentFact(node.index.disk(path))
  if (before.type !== 'file') return false
  let staged = 0
  for (const other of node.index.wantedAfter(undefined, 1000)) {
    const wanted = node.index.step(other)
    if (wanted.type !== 'write' || !wanted.fact.content.equals(before.content)) continue
    const pieces = node.index.piecesOfContent(other, before.content)
    if (pieces !== undefined && node.disk.staging.has(tokenOf(other, contentOfPieces(pieces)))) staged++
  }
  return node.index.isContentWanted(before.content, staged)
}

function* commit(node: SimNode, tasks: Task[]): Work {
  const { index, disk, guard, rules } = node
  tasks.sort((a, b) => phaseOf(a.step, depthOf(a.path)) - phaseOf(b.step, depthOf(b.path)))
  const directories = directoriesTouched(node, tasks)
  const paths = [...tasks.flatMap(pathsOf), ...directories.keys()]
  let batch = 0
  const rows = new Map(tasks.map(({ path }) => [path, index.disk(path)]))
  if (rules.notesIntents) {
    const intents = tasks.flatMap((task) => [
      { path: task.path, version: task.version, fact: resultOf(task) ?? ABSENT },
      ...(task.move === undefined
        ? []
        : [{ path: task.move.from, version: task.move.version, fact: ABSENT }]),
    ])
    const touched = [...directories].flatMap(([path, fact]) => {
      return intents.some((intent) => intent.path === path)
        ? []
        : [{ path, version: index.applied(path).version, fact }]
    })
    batch = index.transaction(() => index.recovery.begin([...intents, ...touched]))
  }
  guard.startCommit(paths)
  node.world.log(
    node,
    () =>
      `begins to apply ${tasks.map(({ path, step, move }) => `${path}: ${move === undefined ? step.type : `move from ${move.from}`}`).join(', ')}`,
  )
  const done: Done[] = []
  for (const task of tasks) {
    if (node.world.random.chance(0.3)) yield
    const job = new Job(node, task, rows.get(task.path))
    const parent = parentOf(task.path)
    const isOrphan = done.some((other) => other.task.path === parent && other.stat === undefined)
    if (!isOrphan || isKnownDirectory(node, parent)) yield* job.run()
    const { result: stat, archived } = job
    const inode = disk.tree.get(task.path)
    const isIt = inode !== undefined && inode.stat === stat
    const seen = isIt ? attributesSeen(node.options.wardrobe, inode) : undefined
    done.push({ task, stat, archived, attributes: seen })
  }
  if (node.world.random.chance(0.3)) yield
  const undone = new Set(done.flatMap(({ task, stat }) => (stat === undefined ? [task.path] : [])))
  const times: [RelPath, DiskStat, Buffer | undefined][] = []
  for (const [path, { mtimeUs }] of directories) {
    const inode = disk.tree.get(path)
    if (inode?.type !== 'directory') continue
    const row = index.disk(path)
    // What it could not be given has not become its time, either (overtakenTimes).
    const kept = undone.has(path) ? row?.applied.fact : undefined
    if (undone.has(path) && (kept?.type !== 'directory' || row?.drift !== undefined)) continue
    disk.set(path, { mtimeUs: kept?.type === 'directory' ? kept.mtimeUs : mtimeUs })
    // Its other metadata may be a user's.
    if (inode.touched.size === 0) inode.isTouched = false
    times.push([path, inode.stat, attributesSeen(node.options.wardrobe, inode)])
  }
  yield
  record(node, batch, done, times)
  guard.endCommit(paths)
}

function record(
  node: SimNode,
  batch: number,
  done: readonly Done[],
  times: readonly [RelPath, DiskStat, Buffer | undefined][],
): void {
  const { index } = node
  index.transaction(() => {
    for (const { task, stat, archived, attributes } of done) {
      if (stat === undefined) {
        node.fullScanDue = true
        continue
      }
      node.progress++
      node.recovered.delete(task.path)
      node.world.log(node, () => `has applied ${task.path}: ${task.step.type}`)
      if (archived !== undefined) index.noteArchived(task.path, archived)
      const fact = resultOf(task) ?? ABSENT
      const layout = fact.type !== 'file' ? undefined : (task.content?.layout ?? index.layout(task.path))
      index.setDisk(
        task.path,
        {
          applied: { version: task.version, fact },
          stat: stat === 'gone' || stat === 'touched' ? undefined : stat,
          ...(stat === 'gone' || stat === 'touched' ? {} : dressedAs(node, fact, { stat, attributes })),
          ...(stat === 'touched' ? {} : task.move?.dress),
          drift: undefined,
        },
        layout,
      )
      if (stat === 'touched') node.fullScanDue = true
      if (task.move === undefined) continue
      node.recovered.delete(task.move.from)
      const gone = { version: task.move.version, fact: ABSENT }
      index.setDisk(task.move.from, { applied: gone, stat: undefined, drift: undefined }, undefined)
    }
    for (const [path, stat, attributes] of times) {
      const row = index.disk(path)
      if (row?.applied.fact.type !== 'directory' || row.drift !== undefined) continue
      // What was set, not what the row says by now: a scan may have published other times meanwhile.
      const fact = { ...row.applied.fact, mtimeUs: mtimeUsOf(stat) }
      const { shown, lacks = 0 } = row
      // An owner or a mode that somebody else has set is for a scan to find.
      const isOurs = row.stat !== undefined && isSameDress(row.stat, stat)
      if (!isOurs || !isAsShown(shown, attributes)) continue
      index.setDisk(
        path,
        { applied: { version: row.applied.version, fact }, stat, shown, lacks, drift: undefined },
        undefined,
      )
    }
    index.recovery.clear(batch)
  })
}

function dressedAs(node: SimNode, fact: Fact, now: Observation): Pick<DiskRow, 'shown' | 'lacks'> {
  const { metadata } = node.options.wardrobe
  return { shown: metadata.shownOf(now), lacks: metadata.lacks(fact, now) }
}

function isSameDress(a: DiskStat, b: DiskStat): boolean {
  return a.mode === b.mode && a.uid === b.uid && a.gid === b.gid
}

function resultOf({ step }: Task): LiveFact | undefined {
  return step.type === 'remove' ? undefined : step.fact
}

/** Whether a path is as the index says. What is done inside a directory moves its times, so these say nothing. */
function isUntouched(now: DiskStat, expected: DiskStat): boolean {
  if (expected.type !== 'directory') return sameStat(now, expected)
  return now.type === 'directory' && now.ino === expected.ino && isSameDress(now, expected)
}

/** One path on the disk: looked at, exchanged, looked at again (A2, A3). */
class Job {
  result: DiskStat | 'gone' | 'touched' | undefined
  archived: string | undefined
  readonly #node: SimNode
  readonly #task: Task
  readonly #expected: DiskStat | undefined
  readonly #shown: Buffer | undefined
  readonly #keeps: boolean

  constructor(node: SimNode, task: Task, row: DiskRow | undefined) {
    this.#node = node
    this.#task = task
    this.#expected = row?.stat
    this.#shown = row?.shown
    this.#keeps = node.options.archives || row?.drift !== undefined
  }

  *run(): Work {
    const { disk, rules } = this.#node
    const { wardrobe } = this.#node.options
    const { path, step } = this.#task
    const there = disk.tree.get(path)
    // A directory's stat tells nothing of its attributes.
    const isWorn = there?.type !== 'directory' || isAsShown(this.#shown, attributesSeen(wardrobe, there))
    if (step.type === 'remove' && there === undefined && this.#expected === undefined) {
      this.result = 'gone'
      return
    }
    if (!disk.isDirectory(parentOf(path))) return
    const isExpected =
      this.#expected === undefined
        ? there === undefined
        : there !== undefined && isUntouched(there.stat, this.#expected)
    if (rules.checksDisk && !isExpected) return
    if (this.#task.move !== undefined) return yield* this.#move(this.#task.move)
    if (step.type === 'metadata') {
      this.result = isWorn ? yield* setMetadata(this.#node, path, step.fact) : undefined
      return
    }
    if (step.type === 'remove') return yield* this.#remove(there)
    if (there?.type === 'directory') {
      if (disk.children(path).length > 0) return
      disk.take(path, 'agent')
      if (this.#random.chance(0.3)) yield
    }
    const inode = this.#newInode(step.fact)
    const set = wardrobe.metadata.dress(step.fact, true)
    // In the staging area, where nothing can come between that anybody would see.
    for (const _ of dressing(disk, inode, set, wardrobe));
    const old = disk.tree.get(path)
    // What is new is linked, never renamed over something that a user made meanwhile.
    if (old !== undefined && (there === undefined || there.type === 'directory') && rules.checksDisk) return
    if (old === undefined) disk.put(path, inode, 'agent')
    else yield* this.#exchange(inode, old)
    const [made, worn] = [inode.stat, inode.attributes]
    if (step.type === 'mkdir' && this.#random.chance(0.3)) yield
    if (this.#task.content !== undefined) disk.staging.delete(tokenOf(path, this.#task.content))
    // A mode or an attribute that a user has set at once is not what we gave it.
    const isAsMade = isSameDress(made, inode.stat) && worn.equals(inode.attributes)
    this.result = disk.tree.get(path) === inode ? (isAsMade ? inode.stat : 'touched') : undefined
  }

  get #random() {
    return this.#node.world.random
  }

  #newInode(fact: LiveFact): Inode {
    const { disk } = this.#node
    if (fact.type === 'file')
      return disk.make({ type: 'file', content: this.#task.content! }, fact.mode, fact.mtimeUs)
    if (fact.type === 'symlink') return disk.make(fact, 0o777, fact.mtimeUs)
    return disk.make({ type: 'directory' }, fact.mode, this.#node.nowUs())
  }

  /** renameat2 with RENAME_EXCHANGE: what is held afterwards is whatever was there at that very moment. */
  *#exchange(inode: Inode, seen: Inode): Work {
    const { disk } = this.#node
    const { path } = this.#task
    const before = seen.stat
    if (this.#random.chance(0.3)) yield
    const held = disk.tree.get(path)
    if (held === undefined || held.type === 'directory') return
    disk.put(path, inode, 'agent')
    this.#keep(held, before)
  }

  /** renameat2 with RENAME_NOREPLACE; a version of the user's that had taken the old name gets that back at once. */
  *#move({ from, stat }: Move): Work {
    const { disk, rules } = this.#node
    const { path } = this.#task
    const seen = disk.tree.get(from)
    if (rules.checksMoved && (seen?.type !== 'file' || !sameStat(seen.stat, stat))) return
    const [before, looked] = [seen?.stat, seen?.content]
    if (rules.checksMoved && disk.tree.has(path)) return
    if (this.#random.chance(0.3)) yield
    const inode = disk.tree.get(from)
    if (inode === undefined || inode !== seen || !disk.isDirectory(parentOf(path))) return
    if (rules.checksMoved && disk.tree.has(path)) return
    disk.rename(from, path, looked)
    if (this.#random.chance(0.3)) yield
    const now = disk.tree.get(path)
    if (now !== undefined && now !== inode) {
      if (!disk.tree.has(from) && disk.isDirectory(parentOf(from))) disk.rename(path, from, undefined)
      return
    }
    if (now !== undefined && !rules.looksAtMoved) {
      this.result = now.stat
      return
    }
    const { size, mtimeMs } = before!
    const isWritten = now?.stat.size !== size || now.stat.mtimeMs !== mtimeMs
    this.result = now === undefined || isWritten || !isSameDress(now.stat, before!) ? 'touched' : now.stat
  }

  *#remove(there: Inode | undefined): Work {
    const { disk } = this.#node
    const { path } = this.#task
    if (there === undefined) return
    if (there.type === 'directory') {
      if (disk.children(path).length > 0) return
      disk.take(path, 'agent')
    } else {
      const before = there.stat
      if (this.#random.chance(0.3)) yield
      const held = disk.tree.get(path)
      if (held === undefined || held.type === 'directory') return
      disk.take(path, 'agent')
      this.#keep(held, before)
    }
    this.result = 'gone'
  }

  /** What the path held is now ours: the archive's, or, if it is another version than was seen, the user's. */
  #keep(held: Inode, before: DiskStat): void {
    const { disk, rules } = this.#node
    const { path } = this.#task
    if (rules.checksDisk && held.stat !== before) {
      const slipName = `${path}.conflict-19700101-000000-slip${disk.archive.size}` as RelPath
      this.#node.world.log(this.#node, () => `brings back what slipped in at ${path} as ${slipName}`)
      disk.put(slipName, held, 'user')
      held.isTouched = true
      this.#node.fullScanDue = true
      return
    }
    if (!this.#keeps || bytesOf(held) === undefined) return
    this.archived = `${path}~${disk.archive.size}`
    disk.archive.set(this.archived, held)
  }
}
