// The attributes of the directories of one scan, each with a stat that it belongs to (see scan.ts).
import fs from 'node:fs'
import type { AttributeScope } from '../core/raw-attributes.js'
import { type DiskStat, packedTypeAt, sameStat, statOf } from '../core/stat.js'
import type { PackedAttributes } from './attribute-pack.js'
import { unpackAttributes } from './attribute-pack.js'
import { AttributeReader, type ReadAttributes } from './attributes.js'
import { codeOf } from './safefs.js'
import type { ScannedDirectory } from './scan.js'
import { unsettledMs } from './settle.js'

const { O_RDONLY, O_DIRECTORY, O_NONBLOCK, O_NOFOLLOW } = fs.constants
/** A directory that changes all the time is looked at again in any case. */
const TRIES = 3

export class ScanAttributes {
  /** Of each directory that was scanned: its own, then those of the directories in it, in the order of the names. */
  readonly all: ReadAttributes[] = []
  readonly #reader: AttributeReader

  constructor(scope: AttributeScope) {
    this.#reader = new AttributeReader(scope)
  }

  /** Reads those of the directory that a descriptor of any kind stands for; returns the stat to go with them. */
  addOwn(handle: number, stat: DiskStat): DiskStat {
    return this.#add(openDirectory(`/proc/self/fd/${handle}`, 0), stat)
  }

  /** The same for a name, of which `stat` was just had. */
  addChild(place: string, stat: DiskStat): DiskStat {
    return this.#add(openDirectory(place, O_NOFOLLOW), stat)
  }

  #add(fd: number | undefined, stat: DiskStat): DiskStat {
    if (fd === undefined) {
      this.all.push(undefined)
      return stat
    }
    try {
      let before = stat
      for (let tries = TRIES; ; tries--) {
        const startMs = Date.now()
        const attributes = this.#reader.of(fd, before.dev)
        const after = statOf(fs.fstatSync(fd))
        const isSame = sameStat(before, after)
        if (isSame || tries === 1) {
          this.all.push(attributes)
          return isSame && unsettledMs(after, startMs) <= 0 ? after : { ...after, ctimeMs: 0 }
        }
        before = after
      }
    } finally {
      fs.closeSync(fd)
    }
  }
}

/** Undefined if it may not be read, or is not there any more: whoever lists it finds that out. */
function openDirectory(place: string, flags: number): number | undefined {
  try {
    return fs.openSync(place, O_RDONLY | O_DIRECTORY | O_NONBLOCK | flags)
  } catch (thrown) {
    if (codeOf(thrown) === 'EIO') throw thrown
    return undefined
  }
}

/** Gives each result what belongs to it. */
export function withAttributes(
  results: readonly ScannedDirectory[],
  packed: PackedAttributes | undefined,
): ScannedDirectory[] {
  if (packed === undefined) return [...results]
  const all = unpackAttributes(packed)
  let at = 0
  return results.map((result) => {
    if (result.status !== 'ok') return result
    const attributes = all[at++]
    const childAttributes = new Map<number, Buffer>()
    const faults = [...result.faults]
    for (const [index, name] of result.names.entries()) {
      if (packedTypeAt(result.stats, index) !== 'directory') continue
      const child = all[at++]
      if (Buffer.isBuffer(child)) childAttributes.set(index, child)
      else if (child !== undefined)
        faults.push({ name, code: 'ATTRIBUTES_LEFT', detail: `${child.code}: ${child.detail}` })
    }
    return {
      ...result,
      attributes: Buffer.isBuffer(attributes) ? attributes : undefined,
      childAttributes,
      faults,
    }
  })
}
