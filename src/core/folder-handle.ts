// What a share goes by in BitTorrent Sync's API, whose clients name folders by their secrets: a text as long as one of its
// secrets, S and 32 base32 characters, which follows from the share's id and gives nothing. The letter is none of those
// that secrets begin with.
import { base32nopad } from '@scure/base'
import type { ShareId } from './ids.js'
import { derive } from './keys.js'
import { keysOf, parseSecret } from './secret.js'

const HANDLE = /^S[A-Z2-7]{32}$/
const HANDLE_BYTES = 20

export function folderHandleOf(share: ShareId): string {
  const bytes = derive('folderHandle', Buffer.from(share, 'hex'))
  return `S${base32nopad.encode(bytes.subarray(0, HANDLE_BYTES))}`
}

/** The handle of the share that a text means: a handle, or a secret of any grade. Throws SECRET_INVALID. */
export function folderHandleIn(text: string): string {
  return HANDLE.test(text) ? text : folderHandleOf(keysOf(parseSecret(text)).shareId)
}

/** Whether a text is a handle, and so no secret. */
export function isFolderHandle(text: string): boolean {
  return HANDLE.test(text)
}
