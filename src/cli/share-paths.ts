// Which share, and which path in it, somebody means on the command line: a whole path, or one as the lists show it.
import { isAbsolute, relative, resolve } from 'node:path'
import { ShoalError } from '../core/error.js'
import { printable } from './text.js'

/** A path of a share, by the share's place. */
export interface SharePath {
  readonly share: number
  /** Relative to the folder; empty for the folder itself. */
  readonly path: string
}

/**
 * `dirs` are the folders of the daemon, by their places. What is not a whole path must be in the only folder, or in the only
 * one of `holders`, where those are known. NOT_FOUND, USAGE.
 */
export function sharePathOf(dirs: readonly string[], text: string, holders?: readonly number[]): SharePath {
  if (isAbsolute(text)) {
    const path = resolve(text)
    for (const [share, dir] of dirs.entries()) {
      const way = relative(dir, path)
      if (way !== '..' && !way.startsWith('../')) return { share, path: way }
    }
    throw new ShoalError('NOT_FOUND', `${printable(text)} is in no folder of this daemon`)
  }
  const path = pathIn(text)
  const places = holders ?? [...dirs.keys()]
  if (dirs.length === 1) return { share: 0, path }
  if (places.length === 1) return { share: places[0]!, path }
  if (places.length === 0) throw new ShoalError('NOT_FOUND', `there is nothing of ${printable(text)}`)
  throw new ShoalError('USAGE', `${printable(text)} may be in several folders: name its whole path`)
}

/** As it is in the lists: without "./" before and slashes after. */
export function pathIn(text: string): string {
  const path = text.replace(/^(\.\/+)+/, '').replace(/\/+$/, '')
  return path === '.' ? '' : path
}

/** The place of a folder. NOT_FOUND. */
export function placeOfDir(dirs: readonly string[], dir: string): number {
  const at = dirs.indexOf(resolve(dir))
  if (at < 0) throw new ShoalError('NOT_FOUND', `${printable(dir)} is no folder of this daemon`)
  return at
}

/** The place of the folder that is meant; it need not be named if it is the only one. NOT_FOUND, USAGE. */
export function oneShare(dirs: readonly string[], dir: string | undefined): number {
  if (dir !== undefined) return placeOfDir(dirs, dir)
  if (dirs.length === 1) return 0
  throw new ShoalError('USAGE', `there are ${dirs.length} folders: name the one that is meant`)
}
