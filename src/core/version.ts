// Version vectors (V1): writer -> counter. A counter is the writer's own running number over all entries of its feed
// (a dot), so a path that is deleted and made again never reuses one. Vectors are sorted by writer and hold no zero.
import type { WriterId } from './ids.js'

/** Sorted by writer, counters at least 1, each writer once. Empty: "never heard of". */
export type Version = readonly (readonly [writer: WriterId, counter: number])[]

export const NO_VERSION: Version = []

export type Order = 'equal' | 'before' | 'after' | 'concurrent'

/** How `a` stands to `b`: 'before' means that `b` includes all of `a` and more. A partial order. */
export function compareVersions(a: Version, b: Version): Order {
  let aHasMore = false
  let bHasMore = false
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left[0] < right[0])) {
      aHasMore = true
      i++
    } else if (left === undefined || right[0] < left[0]) {
      bHasMore = true
      j++
    } else {
      if (left[1] > right[1]) aHasMore = true
      if (left[1] < right[1]) bHasMore = true
      i++
      j++
    }
    if (aHasMore && bHasMore) return 'concurrent'
  }
  if (aHasMore) return 'after'
  return bHasMore ? 'before' : 'equal'
}

/** Whether `version` includes everything in `other` (equal counts). */
export function includes(version: Version, other: Version): boolean {
  const order = compareVersions(version, other)
  return order === 'equal' || order === 'after'
}

/** The least vector that includes both. */
export function joinVersions(a: Version, b: Version): Version {
  const joined: (readonly [WriterId, number])[] = []
  let i = 0
  let j = 0
  while (i < a.length || j < b.length) {
    const left = a[i]
    const right = b[j]
    if (right === undefined || (left !== undefined && left[0] < right[0])) {
      joined.push(left!)
      i++
    } else if (left === undefined || right[0] < left[0]) {
      joined.push(right)
      j++
    } else {
      joined.push(left[1] >= right[1] ? left : right)
      i++
      j++
    }
  }
  return joined
}

/** The counter of a writer, 0 if absent. */
export function counterOf(version: Version, writer: WriterId): number {
  for (const [id, counter] of version) if (id === writer) return counter
  return 0
}

/** `base` with the writer's counter set to `counter`, which must be above the one it has (V1). */
export function advance(base: Version, writer: WriterId, counter: number): Version {
  if (counter <= counterOf(base, writer))
    throw new RangeError(`counter ${counter} of ${writer} does not advance`)
  return joinVersions(base, [[writer, counter]])
}
