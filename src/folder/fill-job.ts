// Filling a new folder with a tree: what can be asked and what it answers. Nothing is there but what a fill of the same
// tree made, so that nothing is replaced, staged or archived, and nothing is durable before `sync` was asked for: a fill
// that ended before that has promised nothing, and whoever goes on with it looks at all of it (torn.ts).
//
// Sealed pieces are read out of packs by the worker itself, a span at a time, or come with the job where the packs are not
// files of this machine. In the order of the packs, that is one long read.
import type { RelPath } from '../core/path.js'
import type { PieceKeys } from '../core/piece.js'
import type { AttributeScope } from '../core/raw-attributes.js'
import type { Dress } from './dress-job.js'
import type { RootIdentity } from './scan.js'

/** What a path is to have besides its content. */
interface Attired {
  readonly path: RelPath
  readonly mtimeUs: number
  readonly dress?: Dress
}

export interface FillFile extends Attired {
  readonly mode: number
  readonly size: number
  /** How many of the batch's parts are of this file; they follow those of the files before. */
  readonly parts: number
  /**
   * Of a file that does not fit into one batch: its name in the staging area, and whether this is its first and its last
   * batch. The name in the tree comes with the last.
   */
  readonly large?: { readonly token: string; readonly begin: boolean; readonly final: boolean }
  /** Where the first of these parts goes in the file, bytes. */
  readonly at: number
}

/** Files of a step without an object for each, which is what passing them to another thread costs most of. */
export interface PackedFiles {
  /** Paths, NUL between them. */
  readonly paths: string
  /** FILE_NUMBERS for each. */
  readonly numbers: Float64Array<ArrayBuffer>
  /** Of all files, each once. */
  readonly dresses: readonly Dress[]
  /** By the file's number. */
  readonly large: ReadonlyMap<number, Pick<FillFile, 'large' | 'at'>>
}

/** Size, time, mode, parts, number of its dress or -1. */
const FILE_NUMBERS = 5

/** Files that have the same dress had better share the object. */
export function packFiles(files: readonly FillFile[]): PackedFiles {
  const numbers = new Float64Array(files.length * FILE_NUMBERS)
  const dresses = new Map<Dress, number>()
  const large = new Map<number, Pick<FillFile, 'large' | 'at'>>()
  for (const [i, file] of files.entries()) {
    const { size, mtimeUs, mode, parts, dress } = file
    if (dress !== undefined && !dresses.has(dress)) dresses.set(dress, dresses.size)
    const row = [size, mtimeUs, mode, parts, dress === undefined ? -1 : dresses.get(dress)!]
    numbers.set(row, i * FILE_NUMBERS)
    if (file.large !== undefined) large.set(i, { large: file.large, at: file.at })
  }
  return { paths: files.map(({ path }) => path).join('\0'), numbers, dresses: [...dresses.keys()], large }
}

/** What packFiles() was given. */
export function unpackFiles({ paths, numbers, dresses, large }: PackedFiles): FillFile[] {
  if (numbers.length === 0) return []
  return paths.split('\0').map((path, i) => {
    const row = i * FILE_NUMBERS
    const dress = dresses[numbers[row + 4]!]
    return {
      path: path as RelPath,
      size: numbers[row]!,
      mtimeUs: numbers[row + 1]!,
      mode: numbers[row + 2]!,
      parts: numbers[row + 3]!,
      ...(dress === undefined ? {} : { dress }),
      ...(large.get(i) ?? { at: 0 }),
    }
  })
}

/** Bytes of a pack that are read at once. */
export interface FillSpan {
  /** A pack that is a file of this machine; otherwise `bytes` are the span; with neither it cannot be read. */
  readonly file?: string
  readonly bytes?: ArrayBuffer
  readonly offset: number
  readonly length: number
}

/** Numbers for each part: span, where in it, sealed bytes, bytes of its plaintext (of a padded piece) or -1. */
export const PART_NUMBERS = 4

export type FillStep =
  /** Directories, each after the one it lies in; to be written to by their owner alone until `end`. */
  | { readonly type: 'directories'; readonly paths: readonly RelPath[] }
  | {
      readonly type: 'files'
      readonly files: PackedFiles
      readonly spans: readonly FillSpan[]
      readonly parts: Float64Array<ArrayBuffer>
      /** 32 bytes for each part. */
      readonly ids: Uint8Array<ArrayBuffer>
      readonly sparse: boolean
    }
  | { readonly type: 'symlinks'; readonly links: readonly (Attired & { readonly target: string })[] }
  /** Further names of files that are there by now. */
  | { readonly type: 'links'; readonly links: readonly { readonly path: RelPath; readonly from: RelPath }[] }
  /** Whether these files are there as they were made: size and time. */
  | { readonly type: 'look'; readonly files: PackedFiles }
  /** What directories are to be in the end; each before the one it lies in. */
  | { readonly type: 'end'; readonly directories: readonly (Attired & { readonly mode: number })[] }
  /** All of it becomes durable. With paths: these, one by one, where the file system cannot be asked as a whole. */
  | { readonly type: 'sync'; readonly directories?: readonly RelPath[]; readonly files?: readonly RelPath[] }

export interface FillPayload {
  readonly root: string
  readonly expectRoot: RootIdentity
  readonly sivKey: Uint8Array
  readonly pieceKey: Uint8Array
  readonly scope?: AttributeScope
  readonly step: FillStep
}

/** What was not done, by its number in the step; what has none holds for all of it. */
export interface FillFault {
  readonly at: number
  readonly code: string
  readonly detail: string
}

export interface FillResult {
  readonly faults: readonly FillFault[]
}

/** Prepares a step for the worker. */
export function fillPayload(
  root: string,
  expectRoot: RootIdentity,
  { sivKey, pieceKey }: PieceKeys,
  step: FillStep,
  scope?: AttributeScope,
): FillPayload {
  return {
    ...{ root, expectRoot, step, sivKey: Uint8Array.from(sivKey), pieceKey: Uint8Array.from(pieceKey) },
    ...(scope === undefined ? {} : { scope }),
  }
}
