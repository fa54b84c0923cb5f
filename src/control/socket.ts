// Where the control API is reached: a Unix socket in the storage path, which only the daemon's own user may enter.
// A socket's address holds 107 bytes at most; a longer path is reached through an open handle of its folder, as
// /proc/self/fd/N/shoal.sock (Linux), which is the same file by a shorter name.
import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** File name of the socket under the storage path. */
export const SOCKET_NAME = 'shoal.sock'

/** sun_path has 108 bytes and ends with a NUL (unix(7)). */
const MAX_SOCKET_PATH_BYTES = 107

export interface SocketAddress {
  /** What to bind or connect to; valid until released. */
  readonly path: string
  /** Closes the folder's handle, if there is one. Only after the last use of the path: closing a server unlinks it. */
  release(): Promise<void>
}

/** The address of the socket of a storage path. Rejects if the folder is not there and its path is long. */
export async function socketAddress(storagePath: string): Promise<SocketAddress> {
  const path = join(storagePath, SOCKET_NAME)
  if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return { path, release: async () => {} }
  const folder = await open(storagePath, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${folder.fd}/${SOCKET_NAME}`, release: () => folder.close() }
}
