// Whether a folder is free to become a share (A5): it is in no share, holds none, and is no other share. Only looks.
import fs from 'node:fs'
import path from 'node:path'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { OWN_DIR } from '../core/path.js'
import { findMarker } from '../folder/marker.js'

export interface RealFolder {
  /** The path with links followed. */
  readonly real: string
  readonly exists: boolean
}

/** `own`: the share whose marker may be there. Throws SHARE_UNUSABLE. */
export async function mustBeFree({ real, exists }: RealFolder, own: ShareId | undefined): Promise<void> {
  if (exists) await checkMarkers(real, own)
  else checkAbove(real)
}

/** Where a folder is in truth, and that it can be used. Throws SHARE_UNUSABLE. */
export function realFolder(dir: string, mayBeMade: boolean): RealFolder {
  try {
    const real = fs.realpathSync(dir)
    if (!fs.statSync(real).isDirectory()) throw new ShoalError('SHARE_UNUSABLE', `${dir} is no folder`)
    fs.accessSync(real, fs.constants.R_OK | fs.constants.W_OK | fs.constants.X_OK)
    return { real, exists: true }
  } catch (cause) {
    if (cause instanceof ShoalError) throw cause
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT') throw new ShoalError('SHARE_UNUSABLE', `cannot use ${dir}: ${message}`, { cause })
    if (!mayBeMade) throw new ShoalError('SHARE_UNUSABLE', `there is no folder ${dir}`, { cause })
    return { real: path.join(realPlace(path.dirname(dir)), path.basename(dir)), exists: false }
  }
}

/** A path with the links of what exists of it followed. */
export function realPlace(folder: string): string {
  try {
    return fs.realpathSync(folder)
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code !== 'ENOENT' || folder === path.dirname(folder))
      throw new ShoalError('SHARE_UNUSABLE', `cannot use ${folder}: ${message}`, { cause })
    return path.join(realPlace(path.dirname(folder)), path.basename(folder))
  }
}

/** A5: the markers of shares in, above and below a folder. `own`: the share whose marker may be there. */
async function checkMarkers(dir: string, own: ShareId | undefined): Promise<void> {
  const here = findMarker(dir)
  if (here.type === 'present' && here.shareId !== own)
    throw new ShoalError(
      'SHARE_UNUSABLE',
      own === undefined
        ? `${dir} is a share already`
        : `${dir} is another share already: give that share's secret, or remove its .shoal to make a new share of its files`,
    )
  if (here.type === 'garbled' || here.type === 'own-dir-unsafe' || here.type === 'root-gone')
    throw new ShoalError('SHARE_UNUSABLE', `cannot use ${dir}: ${here.detail}`)
  checkAbove(dir)
  const below = await shareBelow(dir)
  if (below !== undefined) throw new ShoalError('SHARE_UNUSABLE', `${dir} contains a share, ${below}`)
}

function checkAbove(dir: string): void {
  const above = shareAbove(dir)
  if (above !== undefined) throw new ShoalError('SHARE_UNUSABLE', `${dir} lies in a share, ${above}`)
}

/** The share that a folder lies in, by the markers above it. `dir`: links followed, whether it is there or not. */
export function shareAbove(dir: string): string | undefined {
  for (let above = path.dirname(dir); ; above = path.dirname(above)) {
    // One that may not be looked into may well be a share.
    if (['present', 'garbled'].includes(findMarker(above).type)) return above
    if (above === path.dirname(above)) return undefined
  }
}

/** The first share below a folder, on its own file system, links not followed: all that a share would carry. */
async function shareBelow(dir: string): Promise<string | undefined> {
  const { dev } = fs.statSync(dir)
  const stack = [dir]
  for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
    for (const entry of await entriesOf(at)) {
      if (!entry.isDirectory()) continue
      const folder = path.join(at, entry.name)
      if (entry.name === OWN_DIR) {
        if (at !== dir && ['present', 'garbled'].includes(findMarker(at).type)) return at
        continue
      }
      if (fs.lstatSync(folder, { throwIfNoEntry: false })?.dev === dev) stack.push(folder)
    }
  }
  return undefined
}

async function entriesOf(folder: string): Promise<fs.Dirent[]> {
  try {
    return await fs.promises.readdir(folder, { withFileTypes: true })
  } catch {
    // Gone meanwhile, or not readable: the daemon will say so, and could carry nothing of it.
    return []
  }
}
