// What the daemon serves: shares that can be read here, and such as are kept blind.
import { ShoalError } from '../core/error.js'
import type { BlindShare } from './blind/blind-share.js'
import type { Share } from './share/share.js'

/** Told apart by `grade`. */
export type AnyShare = Share | BlindShare

export function isBlind(share: AnyShare): share is BlindShare {
  return share.grade === 'blind'
}

export function isReadable(share: AnyShare): share is Share {
  return share.grade !== 'blind'
}

/** BLIND: what was asked for needs names or content. */
export function mustBeReadable(share: AnyShare): Share {
  if (isReadable(share)) return share
  throw new ShoalError('BLIND', `${share.dir} is kept blind: this device knows no names and no content of it`)
}
