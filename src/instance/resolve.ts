// As whom a configuration runs: its file name, its comment tags, and the accounts of this machine, put together. Tags
// beat the name. Nothing is changed and nothing is refused for want of rights: `shoal check` tells about instances of
// other users too. Who runs one asks drop.ts.
import { basename } from 'node:path'
import type { Problem, TextPart } from '../config/json.js'
import { configError } from '../config/problems.js'
import { ShoalError } from '../core/error.js'
import { type Accounts, type Group, systemAccounts, type User } from './accounts.js'
import { type InstanceName, type ParsedName, parseInstanceName } from './name.js'
import { readTags, type Tags } from './tags.js'

export interface Instance {
  /** For pid files, units and people; letters, digits, "_" and "-". */
  readonly name: string
  readonly user: string
  readonly group: string
  readonly uid: number
  readonly gid: number
  /** The user's own first group, whatever group it runs with. */
  readonly primaryGid: number
  readonly home: string
  /** What chose the user: a tag, the file name, or, as neither did, whoever starts it. */
  readonly userFrom: Source
  /** What chose the group; 'user': it is the user's primary one. */
  readonly groupFrom: Source | 'user'
  /** 0 to 0o077; absent: as it is where the daemon is started. */
  readonly umask?: number
  /** -20 to 19; absent: as it is where the daemon is started. */
  readonly nice?: number
  /** IPv4 address to listen on if the configuration has no `listen_host`. */
  readonly bind?: string
  /** Tags that have no effect. */
  readonly notes: readonly Problem[]
}

export type Source = 'tag' | 'name' | 'starter'

/** The one who starts it. */
export interface Starter {
  readonly uid: number
  readonly gid: number
}

/**
 * Reads the name and the tags of a configuration and finds the user and group on this machine. Throws CONFIG_INVALID
 * with what to do for a name that is none, a tag that is wrong, a user or group that does not exist.
 */
export function resolveInstance(
  path: string,
  text: string,
  accounts: Accounts = systemAccounts(),
  starter: Starter = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 },
  parts: readonly TextPart[] = [],
): Instance {
  const parsed = nameOf(path)
  if (parsed.type === 'failed') throw new ShoalError('CONFIG_INVALID', parsed.message)
  const read = readTags(text, parts)
  if (read.type === 'failed') throw configError(path, read.problems)
  const { name } = parsed
  const { tags } = read
  const who = whoOf(path, name, tags, accounts, starter)
  return {
    name: name.name,
    ...who,
    ...(tags.umask !== undefined && { umask: tags.umask.value }),
    ...(tags.nice !== undefined && { nice: tags.nice.value }),
    ...(tags.bind !== undefined && { bind: tags.bind.value }),
    notes: read.notes,
  }
}

/** Files of other endings have no user in their name, so one with a dot is somebody's mistake. */
function nameOf(path: string): ParsedName {
  const file = basename(path)
  if (/\.conf(\.d)?$/.test(file)) return parseInstanceName(path)
  const [stem, , ...more] = file.split('.')
  if (more.length > 0) return parseInstanceName(path)
  return parseInstanceName(`${stem}.conf`)
}

type Who = Pick<Instance, 'user' | 'group' | 'uid' | 'gid' | 'primaryGid' | 'home' | 'userFrom' | 'groupFrom'>

function whoOf(path: string, name: InstanceName, tags: Tags, accounts: Accounts, starter: Starter): Who {
  const problems: Problem[] = []
  const missing = (what: string, key: string, wanted: string, tag: Tags['uid']): undefined => {
    problems.push({
      position: tag?.position ?? { line: 1, column: 1 },
      key: tag === undefined ? 'file name' : key,
      message: `there is no ${what} ${JSON.stringify(wanted)} on this machine`,
    })
    return undefined
  }
  const wantedUser = tags.uid?.value ?? name.user
  const user =
    wantedUser === undefined
      ? userOfStarter(starter, accounts)
      : (accounts.user(wantedUser) ?? missing('user', 'DAEMON_UID', wantedUser, tags.uid))
  // The group of a name belongs to the user of that name: another user does not get it.
  const wantedGroup = tags.gid?.value ?? (tags.uid === undefined ? name.group : undefined)
  const ownGroup = (gid: number): Group => accounts.group(String(gid)) ?? { name: String(gid), gid }
  const primary = wantedUser === undefined && starter.uid !== 0 ? starter.gid : user?.gid
  const group =
    wantedGroup === undefined
      ? primary === undefined
        ? undefined
        : ownGroup(primary)
      : (accounts.group(wantedGroup) ?? missing('group', 'DAEMON_GID', wantedGroup, tags.gid))
  if (user === undefined || group === undefined) throw configError(path, problems)
  return {
    user: user.name,
    uid: user.uid,
    primaryGid: user.gid,
    home: user.home,
    group: group.name,
    gid: group.gid,
    userFrom: tags.uid !== undefined ? 'tag' : name.user !== undefined ? 'name' : 'starter',
    groupFrom: wantedGroup === undefined ? 'user' : tags.gid !== undefined ? 'tag' : 'name',
  }
}

/** Somebody surely runs this; an entry is not needed to go on as the same. */
function userOfStarter({ uid, gid }: Starter, accounts: Accounts): User {
  return accounts.user(String(uid)) ?? { name: String(uid), uid, gid, home: '/' }
}
