// The users and groups of this machine, by name or number. getent asks whatever the machine is set up to ask (files,
// LDAP, ...); where there is none, the two files are read. A name must match to the letter: some directories answer for
// "ROOT" too.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { ShoalError } from '../core/error.js'

export interface User {
  readonly name: string
  readonly uid: number
  /** The primary group. */
  readonly gid: number
  readonly home: string
}

export interface Group {
  readonly name: string
  readonly gid: number
}

/** Each by name, or by number in decimal digits; undefined: there is none. Throws IO if that cannot be told. */
export interface Accounts {
  user(nameOrNumber: string): User | undefined
  group(nameOrNumber: string): Group | undefined
  /** Lines as in passwd(5) and group(5) of those that are there, all asked for at once. Throws IO if that cannot be told. */
  many?(database: 'passwd' | 'group', keys: readonly string[]): readonly string[]
}

/** Looks up at most once a word: an entry's fields by their order in passwd(5) and group(5). */
type Lookup = (database: 'passwd' | 'group', key: string) => readonly string[] | undefined

/** Where getent lies, whatever the path of who started us. */
export const SYSTEM_PATH = '/usr/bin:/bin:/usr/sbin:/sbin:/run/current-system/sw/bin'
const GETENT_NO_SUCH_KEY = 2
/** Groups may have thousands of members. */
const MAX_OUTPUT_BYTES = 16 << 20

/** The accounts of this machine. */
export function systemAccounts(lookup: Lookup = getent): Accounts {
  return {
    ...(lookup === getent && { many: getentAll }),
    user: (key) => {
      const [name, , uid, gid, , home] = entryOf(lookup, 'passwd', key) ?? []
      return name === undefined
        ? undefined
        : { name, uid: idOf(uid, key), gid: idOf(gid, key), home: home ?? '/' }
    },
    group: (key) => {
      const [name, , gid] = entryOf(lookup, 'group', key) ?? []
      return name === undefined ? undefined : { name, gid: idOf(gid, key) }
    },
  }
}

/** Lookup in the files of a folder that is like /etc. */
export function fileLookup(folder: string): Lookup {
  return (database, key) => {
    const lines = readFileSync(`${folder}/${database}`, 'utf8').split('\n')
    const at = isNumber(key) ? 2 : 0
    return lines.map((line) => line.split(':')).find((fields) => fields[at] === key)
  }
}

const etc = fileLookup('/etc')

function getent(database: 'passwd' | 'group', key: string): readonly string[] | undefined {
  return getentAll(database, [key])[0]?.split(':')
}

function getentAll(database: 'passwd' | 'group', keys: readonly string[]): readonly string[] {
  const { error, status, stdout } = spawnSync('getent', [database, ...keys], {
    env: { PATH: SYSTEM_PATH },
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: MAX_OUTPUT_BYTES,
  })
  if (error !== undefined && (error as NodeJS.ErrnoException).code === 'ENOENT')
    return keys.flatMap((key) => etc(database, key)?.join(':') ?? [])
  // Of several keys, those that are there are told even if others are not.
  if (status === 0 || status === GETENT_NO_SUCH_KEY) return stdout.split('\n').filter((line) => line !== '')
  const what = keys.length === 1 ? keys[0] : `${keys.length} accounts`
  throw new ShoalError('IO', `cannot look up ${what}: getent ${database} failed (exit code ${status})`, {
    cause: error,
  })
}

function entryOf(lookup: Lookup, database: 'passwd' | 'group', key: string): readonly string[] | undefined {
  const fields = lookup(database, key)
  return fields?.[isNumber(key) ? 2 : 0] === String(isNumber(key) ? Number(key) : key) ? fields : undefined
}

function isNumber(key: string): boolean {
  return /^\d+$/.test(key)
}

function idOf(text: string | undefined, key: string): number {
  const id = Number(text)
  if (text === undefined || text === '' || !Number.isInteger(id) || id < 0)
    throw new ShoalError('IO', `cannot look up ${key}: its entry has no number`)
  return id
}
