// Names and numbers of this machine's accounts, from memory: every changed file asks for them. The two files are read
// again when they change; what they do not have (LDAP, ...) is asked of getent, once, and after a while again in the
// background, many at a time. What cannot be told just now counts as unknown and is asked for again soon.
import { execFile } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import type { AccountKind } from '../core/attributes.js'
import { type AccountNames, isAccountName } from '../core/owners.js'
import { type Accounts, SYSTEM_PATH, systemAccounts } from './accounts.js'

/** Somebody who was found may be renumbered, and somebody who was not may be added. */
const FOUND_MS = 600_000
const NOT_FOUND_MS = 60_000
/** The files are looked at this often at most. */
const FILES_MS = 2000
/** Asked for in one call of getent. */
const BATCH = 256
/** Accounts remembered beside the files'; then all are forgotten. */
const REMEMBERED = 65_536

const DATABASES = { user: 'passwd', group: 'group' } as const

interface Remembered {
  readonly value: string | number | undefined
  readonly untilMs: number
}

interface AccountFile {
  readonly mark: string
  readonly names: ReadonlyMap<number, string>
  readonly numbers: ReadonlyMap<string, number>
}

const NO_FILE: AccountFile = { mark: '', names: new Map(), numbers: new Map() }

/** Asks for keys, names or numbers in decimal; lines as in passwd(5) and group(5) of those that are there. */
export type AskMany = (database: 'passwd' | 'group', keys: readonly string[]) => Promise<readonly string[]>

export class AccountCache implements AccountNames {
  readonly #folder: string
  readonly #accounts: Accounts
  readonly #askMany: AskMany
  readonly #nowMs: () => number
  readonly #remembered = new Map<string, Remembered>()
  readonly #stale = new Map<AccountKind, Set<string>>()
  readonly #files: Record<AccountKind, AccountFile> = { user: NO_FILE, group: NO_FILE }
  #filesAtMs = Number.NEGATIVE_INFINITY
  #asking: Promise<void> | undefined

  /** `folder`: where `passwd` and `group` are. */
  constructor(
    nowMs: () => number,
    folder = '/etc',
    accounts: Accounts = systemAccounts(),
    askMany: AskMany = getentMany,
  ) {
    this.#nowMs = nowMs
    this.#folder = folder
    this.#accounts = accounts
    this.#askMany = askMany
  }

  nameOf(kind: AccountKind, id: number): string {
    const inFile = this.#file(kind).names.get(id)
    if (inFile !== undefined) return inFile
    const found = this.#recall(
      kind,
      String(id),
      () => (kind === 'user' ? this.#accounts.user(String(id)) : this.#accounts.group(String(id)))?.name,
    )
    return typeof found === 'string' ? found : ''
  }

  numberOf(kind: AccountKind, name: string): number | undefined {
    if (!isAccountName(name)) return undefined
    const inFile = this.#file(kind).numbers.get(name)
    if (inFile !== undefined) return inFile
    const found = this.#recall(kind, name, () =>
      kind === 'user' ? this.#accounts.user(name)?.uid : this.#accounts.group(name)?.gid,
    )
    return typeof found === 'number' ? found : undefined
  }

  /** One call for many: an ACL of a share may name two thousand that nobody has here, and nothing else goes on meanwhile. */
  foresee(kind: AccountKind, names: readonly string[]): void {
    const { numbers } = this.#file(kind)
    const isUnknown = (name: string): boolean =>
      isAccountName(name) && !numbers.has(name) && !this.#remembered.has(`${kind} ${name}`)
    const unknown = [...new Set(names)].filter(isUnknown)
    const ask = this.#accounts.many
    if (ask === undefined || unknown.length < 2) return
    for (const batch of batchesOf(unknown)) {
      const rows = rowsOf(this.#asked(() => ask(DATABASES[kind], batch)) ?? [])
      for (const key of batch) this.#remember(`${kind} ${key}`, valueIn(rows, key))
    }
  }

  /** Resolves when nothing is being asked for in the background. */
  async settled(): Promise<void> {
    await this.#asking
  }

  #recall(
    kind: AccountKind,
    key: string,
    ask: () => string | number | undefined,
  ): string | number | undefined {
    const at = `${kind} ${key}`
    const known = this.#remembered.get(at)
    if (known === undefined) return this.#remember(at, this.#asked(ask))
    if (known.untilMs <= this.#nowMs()) this.#refresh(kind, key)
    return known.value
  }

  #asked<T>(ask: () => T): T | undefined {
    try {
      return ask()
    } catch {
      // A directory that does not answer is no reason to stop; it is asked again when this has been forgotten.
      return undefined
    }
  }

  #remember(at: string, value: string | number | undefined): string | number | undefined {
    if (this.#remembered.size >= REMEMBERED) this.#remembered.clear()
    const untilMs = this.#nowMs() + (value === undefined ? NOT_FOUND_MS : FOUND_MS)
    this.#remembered.set(at, { value, untilMs })
    return value
  }

  /** Serves what is known until something newer is. */
  #refresh(kind: AccountKind, key: string): void {
    const keys = this.#stale.get(kind) ?? new Set()
    keys.add(key)
    this.#stale.set(kind, keys)
    this.#asking ??= this.#askStale().finally(() => {
      this.#asking = undefined
    })
  }

  async #askStale(): Promise<void> {
    await Promise.resolve()
    for (const [kind, keys] of [...this.#stale]) {
      this.#stale.delete(kind)
      for (const batch of batchesOf([...keys])) {
        const lines = await this.#askMany(DATABASES[kind], batch).catch(() => undefined)
        const rows = lines === undefined ? undefined : rowsOf(lines)
        for (const key of batch) {
          const at = `${kind} ${key}`
          // What cannot be asked now stays as it was.
          this.#remember(at, rows === undefined ? this.#remembered.get(at)?.value : valueIn(rows, key))
        }
      }
    }
  }

  #file(kind: AccountKind): AccountFile {
    const now = this.#nowMs()
    if (now - this.#filesAtMs >= FILES_MS) {
      this.#filesAtMs = now
      for (const each of ['user', 'group'] as const) this.#files[each] = this.#read(each, this.#files[each])
    }
    return this.#files[kind]
  }

  #read(kind: AccountKind, before: AccountFile): AccountFile {
    const path = `${this.#folder}/${DATABASES[kind]}`
    const stat = statSync(path, { throwIfNoEntry: false })
    const mark = stat === undefined ? '' : `${stat.ino} ${stat.size} ${stat.mtimeMs} ${stat.ctimeMs}`
    if (stat === undefined || mark === before.mark) return stat === undefined ? NO_FILE : before
    const names = new Map<number, string>()
    const numbers = new Map<string, number>()
    for (const line of readFileSync(path, 'utf8').split('\n')) {
      const [name, , number] = line.split(':')
      if (name === undefined || number === undefined || !/^\d+$/.test(number)) continue
      if (!names.has(Number(number))) names.set(Number(number), name)
      if (!numbers.has(name)) numbers.set(name, Number(number))
    }
    return { mark, names, numbers }
  }
}

type Rows = readonly (readonly string[])[]

function rowsOf(lines: readonly string[]): Rows {
  return lines.map((line) => line.split(':'))
}

/** The number of a name, or the name of a number. */
function valueIn(rows: Rows, key: string): string | number | undefined {
  const isNumber = /^\d+$/.test(key)
  const row = rows.find((fields) => fields[isNumber ? 2 : 0] === key)
  return row === undefined ? undefined : isNumber ? row[0] : Number(row[2])
}

function* batchesOf(keys: readonly string[]): Generator<readonly string[]> {
  for (let from = 0; from < keys.length; from += BATCH) yield keys.slice(from, from + BATCH)
}

const GETENT_NO_SUCH_KEY = 2

function getentMany(database: 'passwd' | 'group', keys: readonly string[]): Promise<string[]> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: SYSTEM_PATH }, encoding: 'utf8', maxBuffer: 16 << 20 } as const
    execFile('getent', [database, ...keys], options, (error, stdout) => {
      // Not all were found; the others are there.
      if (error !== null && error.code !== GETENT_NO_SUCH_KEY) reject(error)
      else resolve(stdout.split('\n').filter((line) => line !== ''))
    })
  })
}
