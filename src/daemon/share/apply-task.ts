// One path on its way to the disk: what is to be there, and for a file, how far its content has come.
import { ABSENT, type FileFact, type LiveFact, sameFact } from '../../core/fact.js'
import type { DeviceId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import { type PieceInfo, plainBytesOf } from '../../core/piece.js'
import type { Step } from '../../core/plan.js'
import { RateMeter } from '../../core/rate-meter.js'
import type { Version } from '../../core/version.js'
import type { StagedAs } from '../../folder/stage-job.js'
import type { PathIntent } from '../../store/intents.js'
import type { SharedRoom } from './piece-exchange.js'
import { keyedToken } from './token.js'

export type ActiveStep = Exclude<Step, { readonly type: 'none' | 'adopt' }>

/** One piece of a file on its way. */
export interface TaskPart {
  readonly index: number
  readonly piece: PieceInfo
  /** Of its plaintext in the file, bytes. */
  readonly offset: number
  state: 'missing' | 'queued' | 'staged'
  /** Where on this disk it was looked for in vain; the archive comes after the places, then it is fetched. */
  notIn: 'nowhere' | 'places' | 'archive'
}

/** How a file comes to its path without its content being gathered: from another path of this disk (shortcuts.ts). */
export type Shortcut =
  | { readonly type: 'link' | 'move'; readonly from: RelPath }
  /** The disk is as it should be, only what is said of it is new. */
  | { readonly type: 'note' }

export interface ApplyTask {
  readonly path: RelPath
  /** Changes only to another mode or time of the same content, and not any more when the file is staged whole. */
  step: ActiveStep
  /** What the device will have seen once this is applied; made current when it is. */
  version: Version
  /** A small change that just came in: goes before bulk (X3). */
  readonly fresh: boolean
  /** Of a file: its name in the staging area. */
  readonly token: string
  /** The content comes this way, and nothing is staged; or it was found when it was to be committed, and no matter. */
  via?: Shortcut
  /** Of a metadata step: the path gets a file of its own, since other names share the one it has. */
  readonly isOwnCopy: boolean
  /** What other paths hold once this is done; made current when it is carried out (A4). */
  also: readonly PathIntent[]
  readonly parts: TaskPart[]
  /** Parts that are not staged yet. */
  missing: number
  /** Of the content, how many bytes are staged. */
  doneBytes: number
  /** When it began, milliseconds since 1970. */
  readonly startedMs: number
  /** What came from peers of a file of several pieces; undefined: nothing. */
  traffic: TaskTraffic | undefined
  /** Whether the staged file exists, so that the next job continues it. */
  begun: boolean
  /** One stage job of a task at a time: two threads must not make one staged file. */
  staging: boolean
  readonly pending: PendingPart[]
  /** What the staged file was given and has, if it is whole. */
  staged: { readonly set: string; readonly as: StagedAs } | undefined
  /** In the hands of a worker that commits it: its staged file must be left alone until the outcome is known. */
  committing: boolean
  /** Given up; results that still come are thrown away. */
  dropped: boolean
}

/** A part with a source, waiting to be staged. */
export type PendingPart = { readonly part: TaskPart } & (
  | {
      readonly type: 'bytes'
      /** A view of what came off the network; let go of as soon as it is copied into a batch. */
      bytes: Buffer | undefined
      /** Left then. */
      readonly room: SharedRoom | undefined
      readonly from: DeviceId
    }
  | { readonly type: 'place'; readonly path: string; readonly inArchive: boolean; readonly offset: number }
)

/** Who sent how much of a file, and how fast it comes. */
export interface TaskTraffic {
  readonly meter: RateMeter
  readonly peers: Map<DeviceId, number>
}

/** A piece has come from a peer. */
export function noteTraffic(task: ApplyTask, from: DeviceId, bytes: number): void {
  // Gone before anybody looks, and there may be thousands.
  if (task.parts.length < 2) return
  task.traffic ??= { meter: new RateMeter(), peers: new Map() }
  task.traffic.meter.add(bytes, performance.now())
  task.traffic.peers.set(from, (task.traffic.peers.get(from) ?? 0) + bytes)
}

/** A task for a step; `pieces` are those of a file, in order. */
export function taskOf(
  path: RelPath,
  step: ActiveStep,
  version: Version,
  fresh: boolean,
  pieces: readonly PieceInfo[],
  how: { readonly via?: Shortcut; readonly isOwnCopy?: boolean } = {},
): ApplyTask {
  let offset = 0
  const parts = pieces.map((piece, index): TaskPart => {
    const part: TaskPart = { index, piece, offset, state: 'missing', notIn: 'nowhere' }
    offset += plainBytesOf(piece)
    return part
  })
  const written = writtenBy(step, how.isOwnCopy ?? false)
  return {
    path,
    step,
    version,
    fresh,
    token: written === undefined ? '' : keyedToken(path, written.content),
    ...(how.via === undefined ? {} : { via: how.via }),
    isOwnCopy: how.isOwnCopy ?? false,
    also: [],
    parts,
    missing: parts.length,
    doneBytes: 0,
    startedMs: Date.now(),
    traffic: undefined,
    begun: false,
    staging: false,
    pending: [],
    staged: undefined,
    committing: false,
    dropped: false,
  }
}

/** The file that a task puts together or links. */
export function fileFactOf({ step, isOwnCopy }: ApplyTask): FileFact | undefined {
  return writtenBy(step, isOwnCopy)
}

function writtenBy(step: ActiveStep, isOwnCopy: boolean): FileFact | undefined {
  if (step.type === 'write') return step.fact
  return isOwnCopy && step.type === 'metadata' && step.fact.type === 'file' ? step.fact : undefined
}

/** Whether a task changes names in the directory of its path. */
export function disturbsDirectory({ step, via, isOwnCopy }: ApplyTask): boolean {
  return via === undefined ? step.type !== 'metadata' || isOwnCopy : via.type !== 'note'
}

/** What the path holds once the task is done; undefined for a removal. */
export function resultOf(task: ApplyTask): LiveFact | undefined {
  return task.step.type === 'remove' ? undefined : task.step.fact
}

/** Whether a task is still what has to be done at its path. */
export function isSameStep(task: ApplyTask, step: Step): boolean {
  if (task.step.type !== step.type) return false
  return step.type === 'remove' || (isActive(step) && sameFact(resultOf(task) ?? ABSENT, step.fact))
}

/** Whether a step writes the very content that a task gathers, with another mode or time. */
export function isSameContent(task: ApplyTask, step: Step): boolean {
  return (
    task.step.type === 'write' && step.type === 'write' && step.fact.content.equals(task.step.fact.content)
  )
}

function isActive(step: Step): step is Exclude<ActiveStep, { readonly type: 'remove' }> {
  return step.type !== 'none' && step.type !== 'adopt' && step.type !== 'remove'
}
