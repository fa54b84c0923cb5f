// Root doing something on a disk for a user: with the user's rights and no more, so that nothing it meets there, a link of
// the user's or a folder that is exchanged meanwhile, is opened or made by root, and what is made is the user's.
import type { Instance } from './resolve.js'

/** Not in the types of Node. */
const { initgroups } = process as typeof process & { initgroups: (user: string, gid: number) => void }

/** Runs `act`, which must not wait for anything, as the user; what is not root runs it as it is. */
export function asUser<T>({ user, uid, gid, primaryGid }: Instance, act: () => T): T {
  if (process.geteuid!() !== 0 || uid === 0) return act()
  const before = { groups: process.getgroups!(), gid: process.getegid!() }
  initgroups(user, primaryGid)
  try {
    process.setegid!(gid)
    process.seteuid!(uid)
    return act()
  } finally {
    process.seteuid!(0)
    process.setegid!(before.gid)
    process.setgroups!(before.groups)
  }
}
