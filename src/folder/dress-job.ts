// What a file, directory or symlink is to get besides content, mode and time, and what is answered of it: plain values
// that cross to the worker and back. Part of a commit or stage job.

/** Owner, group and attributes to set. What is absent is left as it is. */
export interface Dress {
  /** Numbers of this node. */
  readonly uid?: number
  readonly gid?: number
  /**
   * Packed (core/raw-attributes.ts): of all names in the batch's AttributeScope exactly these, others in the scope are
   * removed. Not for symlinks, which have none.
   */
  readonly attributes?: Buffer
  /** The part of the scope that `attributes` is about, if not all of it: the rest is left as it is. */
  readonly about?: { readonly acls: boolean; readonly xattrs: boolean }
  /** The mode to set where the ACL among `attributes` cannot be: without it, the group's bits would mean the mask (acl(5)). */
  readonly modeWithoutAcl?: number
}

/** What could not be set. */
export interface Undressed {
  readonly what: 'owner' | 'group' | 'acl' | 'xattr'
  /** EPERM, ENOTSUP, ENOSPC, ... */
  readonly code: string
  /** For 'xattr': its name. */
  readonly name?: string
}

/**
 * Part of a result that is 'done', only if something could not be set, or shows otherwise than it was set (an ACL that the
 * kernel found to say no more than the mode): then `undressed` may be empty. The stat of the result tells owner and mode.
 */
export interface Shown {
  readonly undressed: readonly Undressed[]
  /** The attributes in the scope that it has now, packed; undefined if the file system has none or they cannot be read. */
  readonly attributes: Buffer | undefined
}
