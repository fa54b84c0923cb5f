// The part of fs-native-extensions that Shoal uses. It ships no types of its own.
declare module 'fs-native-extensions' {
  /**
   * Swaps two paths by one renameat2(RENAME_EXCHANGE); neither final symlink is followed. Throws an Error with a `code`:
   * ENOENT if either is missing, EINVAL, ENOSYS or ENOTSUP where the file system cannot do it.
   */
  export function swapSync(from: string, to: string): void

  /** Takes an exclusive lock on a file that is open for writing; false if another open file holds one. */
  export function tryLock(fd: number): boolean
}
