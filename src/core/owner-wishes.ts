// Owners of a share on one node (metadata.ts): what a file of this node's numbers is said to be of, and what is left of an
// earlier statement where only half of it changed.
import { decodeOwner, encodeOwner, OWNER_TAG, type Owner, type Principal, tagOf } from './attributes.js'
import type { Extra } from './entry.js'
import type { Fact } from './fact.js'
import { Interned } from './interned.js'
import type { Stating } from './metadata.js'
import type { OwnerMapping } from './owners.js'
import type { DiskStat } from './stat.js'

export class OwnerWishes {
  readonly mapping: OwnerMapping
  readonly #values = new Interned<Buffer>()
  readonly #owners = new Interned<{ readonly owner: Owner | undefined }>()

  constructor(mapping: OwnerMapping) {
    this.mapping = mapping
  }

  of(extra: Extra): Owner | undefined {
    const value = tagOf(extra, OWNER_TAG)
    return value === undefined ? undefined : this.decoded(value)
  }

  decoded(value: Buffer): Owner | undefined {
    return this.#owners.of(value.toString('latin1'), () => ({ owner: decodeOwner(value) })).owner
  }

  /** Whether a file that was given this owner here would look so. */
  isWorn(value: Buffer, stat: DiskStat): boolean {
    const owner = this.decoded(value)
    return (
      owner !== undefined &&
      this.mapping.local('user', owner.user).id === stat.uid &&
      this.mapping.local('group', owner.group).id === stat.gid
    )
  }

  /** The value for a file of these numbers: one buffer for all that have the same. */
  valueOf({ uid, gid }: DiskStat): Buffer {
    const user = this.mapping.shared('user', uid)
    const group = this.mapping.shared('group', gid)
    const text = ({ id, name }: Principal): string => `${id}:${name}`
    return this.#values.of(`${text(user)}:${text(group)}`, () => encodeOwner({ user, group }))
  }

  /** The value to state, going by what has changed; undefined: none. */
  merged(
    stat: DiskStat,
    before: Buffer | undefined,
    was: DiskStat | undefined,
    stating: Stating,
    known: readonly Fact[],
  ): Buffer | undefined {
    const isUser = was !== undefined && was.uid !== stat.uid
    const isGroup = was !== undefined && was.gid !== stat.gid
    const isChanged = isUser || isGroup
    if (before === undefined ? stating !== 'all' && !(stating === 'changed' && isChanged) : !isChanged)
      return before
    for (const fact of known) {
      const value = 'extra' in fact ? tagOf(fact.extra, OWNER_TAG) : undefined
      if (value !== undefined && this.isWorn(value, stat)) return value
    }
    const owner = before === undefined ? undefined : this.decoded(before)
    if (owner === undefined || (isUser && isGroup)) return this.valueOf(stat)
    return encodeOwner({
      user: isUser ? this.mapping.shared('user', stat.uid) : owner.user,
      group: isGroup ? this.mapping.shared('group', stat.gid) : owner.group,
    })
  }
}
