// Work of some seconds on the event loop, with a pause every few milliseconds.

/** The event loop is held up for so long, and one step. */
const SLICE_MS = 4

export interface Sliced<R> {
  readonly value: R
  /** How long the event loop was held up for it, pauses not counted. */
  readonly busyMs: number
}

/** Goes through all steps. Undefined: `isStopped` said so before the end. */
export async function inSlices<R>(
  steps: Generator<unknown, R>,
  isStopped: () => boolean,
): Promise<Sliced<R> | undefined> {
  let busyMs = 0
  for (;;) {
    const sinceMs = performance.now()
    do {
      const { done, value } = steps.next()
      if (done === true) return { value, busyMs: busyMs + performance.now() - sinceMs }
    } while (performance.now() - sinceMs < SLICE_MS)
    busyMs += performance.now() - sinceMs
    await new Promise((resolve) => setImmediate(resolve))
    if (isStopped()) return undefined
  }
}
