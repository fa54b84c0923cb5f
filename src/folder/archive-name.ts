// Names for what must not overwrite anything: `name`, then `name~2`, `name~3`, ... Pure.
import { MAX_NAME_BYTES } from '../core/path.js'

/** The `count`th name to try, from 1 (the name itself), cut at a character's border to fit a file system's limit. */
export function suffixedName(name: string, count: number): string {
  if (count === 1) return name
  const suffix = `~${count}`
  const room = MAX_NAME_BYTES - suffix.length
  if (Buffer.byteLength(name) <= room) return name + suffix
  const bytes = Buffer.from(name)
  let end = room
  // 10xxxxxx continues a character.
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end).toString() + suffix
}

/** So many names are tried one after the other before the search takes long steps. */
const NEAR = 4

/**
 * Finds the first free name and takes it. `take(count)` tries to make the `count`th name its own and says whether it
 * could; `exists(count)` only looks. About log2 of the number taken, also for a file that is replaced every second.
 */
export function takeFirstFree(take: (count: number) => boolean, exists: (count: number) => boolean): number {
  for (let count = 1; count <= NEAR; count++) if (take(count)) return count
  let taken = NEAR
  let free = NEAR * 2
  while (exists(free)) {
    taken = free
    free *= 2
  }
  while (free - taken > 1) {
    const middle = Math.floor((taken + free) / 2)
    if (exists(middle)) taken = middle
    else free = middle
  }
  for (let count = free; ; count++) if (take(count)) return count
}
