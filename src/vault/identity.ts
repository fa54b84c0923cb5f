// vault.json: whose vault this is. Nothing else in it; a lost one is made anew from the packs' own headers.
//   {"format": 1, "shareId": 64 hex digits, "id": 32 hex digits}     `id` tells an index whether it is of this vault
import { randomBytes } from 'node:crypto'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import type { Log } from '../ports/log.js'
import { PACK_HEADER_BYTES, readPackHeader } from './frame.js'
import { type PackStorage, packNumber } from './pack-storage.js'
import { isUnreadable } from './storage-error.js'

export const VAULT_FILE = 'vault.json'
const FORMAT = 1

interface Identity {
  readonly format: number
  readonly shareId: string
  readonly id: string
}

/** Whose vault lies in a storage: what to look for where only the storage is known. Undefined: none is there. */
export async function shareIdOfVault(storage: PackStorage): Promise<ShareId | undefined> {
  const identity = parsed(await storage.getMeta(VAULT_FILE))
  return (identity?.shareId ?? (await shareIdOfPacks(storage))) as ShareId | undefined
}

/**
 * The id of the vault of this share in a storage; a new one where nothing is there yet. SHARE_UNUSABLE if it is another
 * share's, of a later format, or for reading alone and none.
 */
export async function vaultIdOf(storage: PackStorage, shareId: ShareId, log: Log): Promise<string> {
  const bytes = await storage.getMeta(VAULT_FILE)
  const identity = parsed(bytes)
  if (identity !== undefined && identity.format > FORMAT)
    throw unusable(`the vault has format ${identity.format}: a later version of shoal wrote it`)
  const found = identity?.shareId ?? (await shareIdOfPacks(storage))
  if (found !== undefined && found !== shareId) throw unusable('the vault there belongs to another share')
  if (identity !== undefined) return identity.id
  if (bytes !== undefined) log.warn({ bytes: bytes.length }, 'vault.json is damaged; the packs tell the same')
  const id = randomBytes(16).toString('hex')
  if (storage.isReadOnly && found === undefined) throw unusable('no vault is there')
  if (!storage.isReadOnly)
    await storage.putMeta(VAULT_FILE, Buffer.from(`${JSON.stringify({ format: FORMAT, shareId, id })}\n`))
  return id
}

/** Whether a small file of a vault, as it was read, is that of another one than `id`; one that is damaged is of none. */
export function isOfAnother(bytes: Buffer, id: string): boolean {
  const identity = parsed(bytes)
  return identity !== undefined && identity.id !== id
}

function unusable(message: string): ShoalError {
  return new ShoalError('SHARE_UNUSABLE', message)
}

function parsed(bytes: Buffer | undefined): Identity | undefined {
  if (bytes === undefined) return undefined
  let value: unknown
  try {
    value = JSON.parse(bytes.toString())
  } catch {
    // As good as none: vaultIdOf says so.
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const { format, shareId, id } = value as Partial<Identity>
  const isWhole =
    typeof format === 'number' && /^[0-9a-f]{64}$/.test(String(shareId)) && /^[0-9a-f]{32}$/.test(String(id))
  return isWhole ? (value as Identity) : undefined
}

/** What the first pack whose header holds says. */
async function shareIdOfPacks(storage: PackStorage): Promise<string | undefined> {
  const packs = (await storage.list()).filter(({ name }) => packNumber(name) !== undefined)
  for (const { name, bytes } of packs) {
    if (bytes < PACK_HEADER_BYTES) continue
    const header = await headerOf(storage, name)
    if (header !== undefined) return header.shareId.toString('hex')
  }
  return undefined
}

async function headerOf(storage: PackStorage, name: string): Promise<ReturnType<typeof readPackHeader>> {
  try {
    return readPackHeader(await storage.read(name, 0, PACK_HEADER_BYTES))
  } catch (thrown) {
    // The others tell the same; that this one cannot be read is told when it is loaded.
    if (isUnreadable(thrown)) return undefined
    throw thrown
  }
}
