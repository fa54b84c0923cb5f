// What a report says of a device's releases (docs/design.md, "Report v1"): which one its tree shows, and which it holds all
// of. Names are those of directories, so they are checked like a path of one part.
//
//   flags (u8): 1 there is a current one; if so: length, its name
//   count (varint, at most 256), each: length, name; ascending by the bytes of the name
import { ByteReader, ByteWriter } from './bytes.js'
import { invariant } from './error.js'
import { MAX_NAME_BYTES, pathFault } from './path.js'
import { Malformed } from './violation.js'

/** More are not told. */
export const MAX_RELEASES = 256

export interface ReleasesSection {
  /** The release that its tree shows; undefined: none. */
  readonly current: string | undefined
  /** Those that it holds all files of. Ascending by the bytes of the name, each once. */
  readonly complete: readonly string[]
}

/** Why a text cannot be the name of a release in a report, or undefined if it can. */
export function releaseNameFault(name: string): string | undefined {
  return name.includes('/') ? 'name holds a "/"' : pathFault(name)
}

/** The bytes of a section. An invariant fails for what readReleases would refuse. */
export function releasesBytes({ current, complete }: ReleasesSection): Buffer {
  invariant(complete.length <= MAX_RELEASES, 'a report names at most MAX_RELEASES')
  const writer = new ByteWriter().u8(current === undefined ? 0 : 1)
  if (current !== undefined) writer.text(checked(current))
  writer.uint(complete.length)
  let before: string | undefined
  for (const name of complete) {
    invariant(before === undefined || compareNames(before, name) < 0, 'the names of releases ascend')
    before = name
    writer.text(checked(name))
  }
  return writer.finish()
}

/** Reads a whole section; Malformed if it is not one. */
export function readReleases(bytes: Buffer): ReleasesSection {
  const reader = new ByteReader(bytes)
  const flags = reader.u8()
  if (flags > 1) throw new Malformed('bad-releases', `releases with flags ${flags}`)
  const current = flags === 1 ? readName(reader) : undefined
  const count = reader.uintUpTo(MAX_RELEASES, 'count of releases')
  const complete: string[] = []
  for (let i = 0; i < count; i++) {
    const name = readName(reader)
    const before = complete.at(-1)
    if (before !== undefined && compareNames(before, name) >= 0)
      throw new Malformed('not-canonical', 'the names of releases do not ascend')
    complete.push(name)
  }
  reader.end()
  return { current, complete }
}

/** The order of `complete`. */
export function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}

function checked(name: string): string {
  invariant(releaseNameFault(name) === undefined, 'the name of a release is one part of a path')
  return name
}

function readName(reader: ByteReader): string {
  const name = reader.text(MAX_NAME_BYTES, 'name of a release')
  const fault = releaseNameFault(name)
  if (fault !== undefined) throw new Malformed('bad-name', `release: ${fault}`)
  return name
}
