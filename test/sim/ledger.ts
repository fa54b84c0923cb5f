// Keeps account of what users wrote and destroyed, whatever the agent makes of it: the independent half of "no lost
// bytes". A content that a user put at a path must be somewhere in the final tree, unless some user destroyed that very
// content at that path (or at its conflict copy), on a device that had it there.
import type { RelPath } from '../../src/core/path.js'
import type { Bytes, Ledger } from './disk.js'

/** The name of a content in the accounts. */
export function keyOf(bytes: Bytes): string {
  return bytes.type === 'file' ? bytes.content.key : `-> ${bytes.target}`
}

export class Accounts implements Ledger {
  /** Every content that any user ever wrote. */
  readonly contents: Set<string> = new Set()
  readonly #written = new Map<string, { readonly path: RelPath; readonly content: string }>()
  readonly #destroyed = new Set<string>()

  written(path: RelPath, bytes: Bytes): void {
    const content = keyOf(bytes)
    this.contents.add(content)
    this.#written.set(`${path}\0${content}`, { path, content })
  }

  destroyed(path: RelPath, bytes: Bytes): void {
    this.#destroyed.add(`${origin(path)}\0${keyOf(bytes)}`)
  }

  /** The agent gave a file another name before it could know that a user had changed it: what is owed goes along. */
  moved(from: RelPath, to: RelPath, bytes: Bytes): void {
    if (!this.#written.has(`${from}\0${keyOf(bytes)}`)) return
    this.written(to, bytes)
    this.destroyed(from, bytes)
  }

  /** What must be in the final tree. */
  *owed(): Generator<{ readonly path: RelPath; readonly content: string }> {
    for (const one of this.#written.values()) {
      if (!this.#destroyed.has(`${origin(one.path)}\0${one.content}`)) yield one
    }
  }
}

/** The path without what conflict copies, copies of copies and slipped versions add to it. */
function origin(path: RelPath): string {
  return path.replaceAll(/\.conflict-\d{8}-\d{6}-[A-Za-z0-9_-]+/g, '')
}
