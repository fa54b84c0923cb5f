// What a configuration file's name says: which instance it is and as whom it runs, as the Debian package of BitTorrent
// Sync had it. Where that package fell back to root without a word (a capital letter, one part too many), this is a
// fault. Whether a user exists is not asked here (accounts.ts), and tags in the file beat its name (tags.ts).
import { basename } from 'node:path'

/** NAME.conf, NAME.USER.conf or NAME.USER.GROUP.conf. */
export interface InstanceName {
  /** Letters, digits, "_" and "-", beginning with none of the last: fit for a unit or a pid file. */
  readonly name: string
  /** Absent: who starts it; started by the system that is root. */
  readonly user?: string
  /** Absent: the primary group of the user. Never without a user. */
  readonly group?: string
}

export type ParsedName =
  | { readonly type: 'ok'; readonly name: InstanceName }
  /** The message begins with the quoted file name, and says what to do. */
  | { readonly type: 'failed'; readonly message: string }

const FORMS = 'NAME.conf, NAME.USER.conf or NAME.USER.GROUP.conf'
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_-]*$/
const ACCOUNT = /^[a-z0-9_][a-z0-9_-]*$/

/** Reads the last part of a path that ends in ".conf", or in ".conf.d" for a folder of parts. */
export function parseInstanceName(path: string): ParsedName {
  const file = basename(path)
  const stem = /^(.*)\.conf(?:\.d)?$/s.exec(file)?.[1]
  if (stem === undefined) return failed(file, `does not end in .conf, expected ${FORMS}`)
  const [name, user, group, ...more] = stem.split('.')
  if (more.length > 0)
    return failed(
      file,
      `has ${more.length + 3} parts before .conf, expected ${FORMS}: a NAME cannot hold a dot, write "-" instead`,
    )
  const fault =
    faultOfName(name ?? '') ??
    (user === undefined ? undefined : faultOfAccount(user, 'user', 'UID')) ??
    (group === undefined ? undefined : faultOfAccount(group, 'group', 'GID'))
  if (fault !== undefined) return failed(file, fault)
  return {
    type: 'ok',
    name: { name: name!, ...(user !== undefined && { user }), ...(group !== undefined && { group }) },
  }
}

function faultOfName(name: string): string | undefined {
  if (name === '') return `has no name before .conf, expected ${FORMS}`
  if (NAME.test(name)) return undefined
  if (name.startsWith('-')) return `has a name that begins with "-", expected a letter or a digit`
  return `has a name with other characters than letters, digits, "_" and "-", expected none of them`
}

function faultOfAccount(part: string, what: 'user' | 'group', tag: 'UID' | 'GID'): string | undefined {
  const elsewhere = `for any other ${what} write // DAEMON_${tag}= into the file`
  if (part === '') return `has an empty part where a ${what} belongs, expected ${FORMS}`
  if (/^\d+$/.test(part)) return `has a number where a ${what} belongs, expected its name; ${elsewhere}`
  if (/[A-Z]/.test(part)) return `names a ${what} with capital letters, expected small ones; ${elsewhere}`
  if (ACCOUNT.test(part)) return undefined
  if (part.startsWith('-')) return `names a ${what} that begins with "-", expected a letter; ${elsewhere}`
  return `names a ${what} with other characters than small letters, digits, "_" and "-"; ${elsewhere}`
}

function failed(file: string, what: string): ParsedName {
  return { type: 'failed', message: `the file name ${JSON.stringify(file)} ${what}` }
}
