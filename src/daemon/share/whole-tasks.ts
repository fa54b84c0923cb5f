// The tasks whose file is staged whole, counted by content. What they hold is safe whatever happens to other copies of it,
// until they end (P3).
import { contentStart } from '../../store/wanted.js'
import type { ApplyTask } from './apply-task.js'

export class WholeTasks {
  readonly #tasks = new Set<ApplyTask>()
  /** How many have a content, by its start. */
  readonly #counts = new Map<number, number>()

  add(task: ApplyTask): void {
    if (this.#tasks.has(task)) return
    this.#tasks.add(task)
    this.#count(task, 1)
  }

  delete(task: ApplyTask): void {
    if (this.#tasks.delete(task)) this.#count(task, -1)
  }

  has(task: ApplyTask): boolean {
    return this.#tasks.has(task)
  }

  /** How many of them hold a content; compared as the index compares what is wanted. */
  countOf(content: Buffer): number {
    return this.#counts.get(contentStart(content)) ?? 0
  }

  #count(task: ApplyTask, change: 1 | -1): void {
    if (task.step.type !== 'write') return
    const start = contentStart(task.step.fact.content)
    const count = (this.#counts.get(start) ?? 0) + change
    if (count === 0) this.#counts.delete(start)
    else this.#counts.set(start, count)
  }
}
