// On which file systems a sync of the whole has failed since the process began. Linux tells a failed write-back by syncfs(2) to the
// descriptors that are open then and to the first that is opened after, and to no other: whoever asks later by a new one hears that
// all is well, although what failed may be his (docs/decisions/0072-syncs-that-failed.md).
// Promises: after the first failure nobody in this process, on whatever thread, believes a sync of that whole file system again; nor
// does one whose own sync ended well while another's failed.
// Leaves to others: what is done instead (durable.ts: each file by itself, whose failure is told to whoever asks for that file).

/** Of file systems that fall into one slot, a failure of one costs the others speed, no more. */
const SLOTS = 64

let slots: Int32Array = new Int32Array(new SharedArrayBuffer(SLOTS * Int32Array.BYTES_PER_ELEMENT))

/** For a thread of this process, which is to call shareSyncDoubts() with it before it syncs anything. */
export function syncDoubts(): SharedArrayBuffer {
  return slots.buffer as SharedArrayBuffer
}

export function shareSyncDoubts(shared: SharedArrayBuffer): void {
  slots = new Int32Array(shared)
}

/**
 * Whether everything on the file system of this device number is durable now, as `sync` says; without asking it where a
 * failure was seen before. `sync`: false, it has failed; undefined, it could not be asked.
 */
export function isSyncedSurely(dev: number, sync: () => boolean | undefined): boolean | undefined {
  const slot = Math.abs(dev) % SLOTS
  if (Atomics.load(slots, slot) !== 0) return false
  const isSynced = sync()
  if (isSynced === false) Atomics.store(slots, slot, 1)
  return isSynced === true && Atomics.load(slots, slot) !== 0 ? false : isSynced
}
