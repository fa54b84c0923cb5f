// Whether what is restored from lacks the newest: each record says how far its writer knew the other feeds, so a vault of
// which the newest packs were not copied, or members that are behind, can be told by what the others had seen. Records that
// nobody else had seen leave no trace; of those it says nothing.
import type { WriterId } from '../../core/ids.js'
import type { RecordHeader } from '../../core/record-public.js'

interface Seen {
  readonly length: number
  readonly by: string
  readonly atMs: number
}

export class KnownBeyond {
  readonly #seen = new Map<WriterId, Seen>()

  /** The newest record of a writer that counts: it knows what the earlier ones knew. */
  note(name: string, header: RecordHeader): void {
    for (const [writer, length] of header.view) {
      const seen = this.#seen.get(writer)
      if (seen === undefined || seen.length < length)
        this.#seen.set(writer, { length, by: name, atMs: header.timeMs })
    }
  }

  /** What had been written and is not here, a line for each writer. `feeds`: those that are here, as long as they are here. */
  notes(
    feeds: Iterable<{
      readonly row: { readonly writer: WriterId }
      readonly name: string
      readonly length: number
    }>,
  ): string[] {
    const here = new Map([...feeds].map((feed) => [feed.row.writer, feed]))
    return [...this.#seen].flatMap(([writer, { length, by, atMs }]) => {
      const feed = here.get(writer)
      const held = feed?.length ?? 0
      if (length <= held) return []
      const whose = feed === undefined ? `a writer that is not known here (${writer})` : feed.name
      const when = new Date(atMs).toISOString()
      return [
        `the newest may be missing: by ${when} ${by} knew ${length} records of ${whose}, of which ${held} are here; was all of the vault copied?`,
      ]
    })
  }
}
