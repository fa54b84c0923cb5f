// Whether storage_path can be written to.
import { constants } from 'node:fs'
import { access, statfs } from 'node:fs/promises'
import { MIN_STORAGE_BYTES } from './health.js'

/** What is wrong with it, without naming it; undefined: nothing. */
export async function storageFault(storagePath: string): Promise<string | undefined> {
  try {
    await access(storagePath, constants.W_OK)
    const { bavail, bsize } = await statfs(storagePath)
    const free = bavail * bsize
    if (free >= MIN_STORAGE_BYTES) return undefined
    return `only ${free} bytes are left where storage_path is`
  } catch (thrown) {
    return `storage_path cannot be written to: ${(thrown as NodeJS.ErrnoException).code ?? 'unknown'}`
  }
}
