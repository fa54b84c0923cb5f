// Takes what comes one by one in groups, for work that costs about the same for a few as for one.

/**
 * Groups of at most `first` items, then twice as many each time up to `most`, in order; fewer where the next one takes longer
 * than `waitMs`, and at the end. What went before a failure comes before it.
 */
export async function* inGroups<T>(
  items: AsyncIterable<T>,
  first: number,
  most: number,
  waitMs: number,
): AsyncGenerator<readonly T[], void, undefined> {
  const iterator = items[Symbol.asyncIterator]()
  let group: T[] = []
  let size = first
  try {
    for (;;) {
      const next = iterator.next()
      // It is waited for below, unless whoever takes the groups has had enough by then.
      next.catch(() => undefined)
      if (group.length > 0 && (group.length >= size || !(await isSoon(next, waitMs)))) {
        yield group
        group = []
        size = Math.min(most, 2 * size)
      }
      const { value, done } = await next
      if (done === true) return
      group.push(value)
    }
  } finally {
    // Not waited for: it ends when the item under way has come, which may take long.
    void iterator.return?.().catch(() => undefined)
  }
}

/** Whether it settles within this time; one that rejects does not count. */
async function isSoon(promise: Promise<unknown>, waitMs: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), waitMs)
  })
  const settled = promise.then(
    (result) => (result as IteratorResult<unknown>).done !== true,
    () => false,
  )
  try {
    return await Promise.race([settled, late])
  } finally {
    clearTimeout(timer)
  }
}
