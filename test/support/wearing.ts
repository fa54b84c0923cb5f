// A made-up disk that wears what metadata tells it to, as far as it can: what a real one shows after it was dressed, without
// files. Its ACL follows its mode as on Linux.
import { formatAcl, isMinimal, parseAcl } from '../../src/core/acl.js'
import type { LiveFact } from '../../src/core/fact.js'
import type { Metadata, Observation } from '../../src/core/metadata.js'
import { ACL_ACCESS, packRaw, unpackRaw } from '../../src/core/raw-attributes.js'
import type { DiskStat } from '../../src/core/stat.js'

/** What a node can do. */
export interface Ability {
  readonly chowns: boolean
  /** Whether its file system has ACLs and xattrs. */
  readonly holds: boolean
  readonly uid: number
}

export function statWith(fact: LiveFact, mode: number, uid: number, gid: number): DiskStat {
  return {
    ...{ type: fact.type, mode, uid, gid, size: fact.type === 'file' ? fact.size : 0 },
    ...{ mtimeMs: fact.mtimeUs / 1000, ctimeMs: 1, ino: 1, dev: 1, nlink: 1 },
  }
}

/** What a new path shows once it was dressed for a fact. */
export function worn(metadata: Metadata, fact: LiveFact, { chowns, holds, uid }: Ability): Observation {
  const { mode, dress } = metadata.dress(fact, true)
  const owner = chowns && dress?.uid !== undefined ? [dress.uid, dress.gid!] : [uid, uid]
  const isOwned = dress?.uid === undefined || (dress.uid === owner[0] && dress.gid === owner[1])
  const meant = holds ? mode : (dress?.modeWithoutAcl ?? mode)
  const given = fact.type === 'symlink' ? 0o777 : isOwned || fact.type !== 'file' ? meant : meant & ~0o6000
  const stat = statWith(fact, given, owner[0]!, owner[1]!)
  const { acls, xattrs } = metadata.rules.scope
  const looks = holds && fact.type !== 'symlink' && (acls || xattrs.length > 0)
  return { stat, attributes: looks ? (dress?.attributes ?? Buffer.alloc(0)) : undefined }
}

/** The same after chmod(2). */
export function withMode({ stat, attributes }: Observation, mode: number): Observation {
  const raw = attributes === undefined ? undefined : unpackRaw(attributes)
  const changed = raw?.map(([name, value]) => {
    const acl = name === ACL_ACCESS ? parseAcl(value) : undefined
    if (acl === undefined || isMinimal(acl)) return [name, value] as const
    const rights = { owner: (mode >> 6) & 7, mask: (mode >> 3) & 7, other: mode & 7 }
    return [name, formatAcl({ ...acl, ...rights })] as const
  })
  return { stat: { ...stat, mode }, attributes: changed === undefined ? undefined : packRaw(changed) }
}
