// Whether the configuration that runs is the one in the file: one that was changed while the daemon runs and is not good is
// told here, and as an event, until a good one is read. The log alone would leave whoever edits it in the belief that it holds.

import { REFUSED_PROBLEMS, type RefusedConfiguration } from '../control/schema-config.js'
import type { EventFact } from '../control/schema-events.js'

export class ConfigState {
  readonly #note: (fact: EventFact) => void
  readonly #nowMs: () => number
  #refused: RefusedConfiguration | undefined
  /** Settings of the file that another start is needed for, as the file has them. */
  #awaitingRestart: readonly string[] = []

  /** `nowMs`: milliseconds since 1970. */
  constructor(note: (fact: EventFact) => void, nowMs: () => number) {
    this.#note = note
    this.#nowMs = nowMs
  }

  /** Since when, and why; undefined: what was read last is in use. */
  get refused(): RefusedConfiguration | undefined {
    return this.#refused
  }

  /** Keys that were changed in the file and take effect at the next start. */
  get awaitingRestart(): readonly string[] {
    return this.#awaitingRestart
  }

  /** What was read last differs in these keys from what runs, and cannot take effect before the next start. */
  awaitRestart(keys: readonly string[]): void {
    this.#awaitingRestart = [...new Set(keys)]
  }

  /** The file was read and is not used. `problems`: lines without secrets. */
  refuse(problems: readonly string[]): void {
    const shown = problems.slice(0, REFUSED_PROBLEMS)
    if (problems.length > shown.length) shown.push(`and ${problems.length - shown.length} more`)
    const before = this.#refused
    const isNews = before === undefined || JSON.stringify(before.problems) !== JSON.stringify(shown)
    this.#refused = {
      since: before?.since ?? new Date(this.#nowMs()).toISOString(),
      problems: shown,
    }
    if (isNews) this.#note({ type: 'config-refused', problems: shown })
  }

  /** A good one was read. */
  use(): void {
    if (this.#refused === undefined) return
    this.#refused = undefined
    this.#note({ type: 'config-used' })
  }
}
