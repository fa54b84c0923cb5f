// What tells a file that a fill (fill.ts) has not finished from any other, in its own inode, so that no list of them has
// to be kept and believed.

/**
 * Owner alone, and the sticky bit, which means nothing on files: nobody else makes such ones. A share that really says this
 * of a file has it written once more when a fill is gone on with, and that is all.
 */
export const TORN_MODE = 0o1600
