// The part of fs-native-extensions that Shoal uses. It ships no types of its own.
declare module 'fs-native-extensions' {
  /**
   * Swaps two paths by one renameat2(RENAME_EXCHANGE); neither final symlink is followed. Throws an Error with a `code`:
   * ENOENT if either is missing, EINVAL, ENOSYS or ENOTSUP where the file system cannot do it.
   */
  export function swapSync(from: string, to: string): void

  /** Takes an exclusive lock on a file that is open for writing; false if another open file holds one. */
  export function tryLock(fd: number): boolean

  /** Punches a hole (fallocate): the range reads as zeros, the size stays. ENOTSUP where the file system cannot. */
  export function trimSync(fd: number, offset: number, length: number): void

  // Extended attributes of an open file or directory; not of an O_PATH descriptor (EBADF). They throw Errors with a
  // `code`: ENOTSUP where the file system has none of this kind.

  /** Names, in no order; a name that is not UTF-8 is garbled. Where a file system has no attributes: none. */
  export function listAttrsSync(fd: number): string[]
  /** Null if there is none of the name. */
  export function getAttrSync(fd: number, name: string): Buffer | null
  export function setAttrSync(fd: number, name: string, value: Uint8Array): void
  export function removeAttrSync(fd: number, name: string): void
}
