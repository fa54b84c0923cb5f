// Long work is done in slices of a few milliseconds, and others get their turn in between.

/** Rows of an index that are read or written in one slice. */
export const ROWS_A_TURN = 1024

/** Resolves after everybody else had a turn. Rejects with the signal's reason once it is aborted. */
export async function turn(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  signal?.throwIfAborted()
}
