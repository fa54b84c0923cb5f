// What the applier is made with, and whom it tells.
import type { RelPath } from '../../core/path.js'
import type { ShareContext } from './context.js'
import type { PieceExchange } from './piece-exchange.js'

export interface ApplierOptions {
  readonly context: ShareContext
  readonly exchange: PieceExchange
  readonly nowMs: () => number
  /** Tokens found in the staging area at start. */
  readonly leftovers: readonly string[]
  /** The disk was found changed: look at these directories (A3). */
  readonly rescan: (directories: readonly (RelPath | '')[]) => void
  /** False until the disk was looked through once: what is there already must not be fetched (P3). */
  readonly isDiskKnown: () => boolean
  readonly onApplied: (path: RelPath) => void
  /** It is tried again, but somebody should know. */
  readonly onFailed?: (path: RelPath, code: string, detail: string) => void
  /** A directory was put there, which nobody watches yet. */
  readonly onMade: (directory: RelPath) => void
  /** Nothing is on its way any more. */
  readonly onQuiet: () => void
}
