// Which of the paths on their way are files being put together, for people.
import type { ApplyTask } from './apply-task.js'

/** At most `limit`: those that have begun first, oldest first; `tasks` come oldest first. */
export function transfersAmong(
  tasks: Iterable<ApplyTask>,
  limit: number,
): { readonly tasks: readonly ApplyTask[]; readonly count: number } {
  const begun: ApplyTask[] = []
  const waiting: ApplyTask[] = []
  let count = 0
  for (const task of tasks) {
    if (task.via !== undefined || task.missing === 0) continue
    count++
    const list = task.doneBytes > 0 || task.traffic !== undefined ? begun : waiting
    if (list.length < limit) list.push(task)
  }
  return { tasks: [...begun, ...waiting].slice(0, limit), count }
}
