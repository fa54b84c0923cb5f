// What `shoal share` and `shoal join` do and say. What they do to the disk is in src/daemon/new-share.ts.
import { randomBytes } from 'node:crypto'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { secretOrFault } from '../config/config.js'
import { type NewConfig, nameOfFolder } from '../config/new-config.js'
import { type Asker, configFolderOf, configFoldersOf, stateFolderOf } from '../config/places.js'
import { formatProxy } from '../config/proxy.js'
import { ShoalError } from '../core/error.js'
import { isInvite } from '../core/invite.js'
import { KEY_BYTES } from '../core/keys.js'
import { type Secret, writeSecretOf } from '../core/secret.js'
import type { NewShare, NewShareOptions } from '../daemon/new-share-types.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { proxyOfOptions } from './proxy-option.js'
import { redeem } from './redeem.js'
import { gradesOf } from './secret-commands.js'
import { secretInput } from './secret-input.js'
import { formatJson, formatTable, printable } from './text.js'
import type { WayOptions } from './way-options.js'

export interface PlaceOptions {
  readonly name?: string
  readonly config?: string
  readonly storage?: string
  readonly port: number
  readonly json?: boolean
}

export interface ShareOptions extends PlaceOptions {
  readonly searchLan: boolean
}

export interface JoinOptions extends ShareOptions, WayOptions {
  readonly secretFile?: string
  readonly knownHost?: readonly string[]
  readonly bootstrap?: readonly string[]
  /** Seconds, for an invite. */
  readonly timeout: number
}

export type Places = Required<Pick<PlaceOptions, 'name' | 'config' | 'storage'>>

/** As an instance's name may be: part of a file name without dots, and of a unit's. */
const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9_-]{0,63}$/

const WHO = {
  write: 'your own devices, and people who may change everything and let others in',
  read: 'people and machines that may follow, and change nothing',
  blind: 'machines that keep the data without being able to read it',
} as const

/** Makes a share of a folder: writes its configuration, makes its marker, prints its secrets. */
export async function shareCommand(io: CliIo, dir: string, options: ShareOptions): Promise<number> {
  const secret = writeSecretOf(randomBytes(KEY_BYTES))
  const { places, made } = await make(io, 'share', dir, secret, options)
  const next = `shoal run ${quoted(places.config)}`
  const grades = gradesOf(secret)
  if (options.json === true) {
    io.out(formatJson({ ...places, dir: made.dir, ...grades, next }))
    return 0
  }
  const rows = Object.entries(grades).map(([grade, text]) => [grade, text, WHO[grade as keyof typeof WHO]])
  for (const [grade, text, who] of rows) io.out(`${grade} secret, for ${who}:\n  ${text}\n`)
  io.out(
    `\n${formatTable([
      ['configuration', `${places.config} (it holds the write secret)`],
      ['storage', places.storage],
      ['runs as', made.runsAs],
      ['next, here', next],
      ['or with others', upCommand(places.config)],
      ['then elsewhere', 'shoal join DIR   (it asks for one of the secrets above)'],
    ])}`,
  )
  return 0
}

/** Joins a share with a secret or an invite. The exit code: 130 after Ctrl-C. */
export async function joinCommand(io: CliIo, dir: string, options: JoinOptions): Promise<number> {
  const { knownHost = [], bootstrap = [], relay = [] } = options
  const proxy = await proxyOfOptions(options)
  const { proxy: _, ...others } = options
  const way = { ...(proxy === undefined ? {} : { proxy }), relays: relay }
  const typed = await secretInput(io, options.secretFile, 'secret or invite (not shown): ')
  if (typed === undefined) return EXIT.interrupted
  const { timeout, searchLan } = options
  // An invite works once: all that can be checked is, before it is spent.
  if (isInvite(typed)) await check(io, dir, { ...others, ...way })
  const ways = { knownHosts: knownHost, bootstrap, timeout, searchLan, ...way }
  const redeemed = await redeem(io, typed, ways)
  if (redeemed === undefined) return EXIT.interrupted
  const secret = secretOf(redeemed.secret)
  const met = redeemed.knownHost === undefined ? [] : [redeemed.knownHost]
  const hosts = [...new Set([...knownHost, ...met])]
  const { places, made } = await make(io, 'join', dir, secret, { ...others, ...way, knownHost: hosts })
  const next = `shoal run ${quoted(places.config)}`
  const preview = `shoal preview ${quoted(places.config)}`
  if (options.json === true) {
    const { grade } = secret
    io.out(formatJson({ ...places, dir: made.dir, grade, hadContent: made.hadContent, preview, next }))
    return 0
  }
  io.out(
    formatTable([
      ['grade', secret.grade],
      ['configuration', `${places.config} (it holds the secret)`],
      ['storage', places.storage],
      ['runs as', made.runsAs],
      ...(proxy === undefined ? [] : [['proxy', `${formatProxy(proxy)}, for the daemon as well`]]),
      ['see first', preview],
      ['next', next],
      ['or with others', upCommand(places.config)],
    ]),
  )
  if (made.hadContent)
    io.out(
      `\n${printable(made.dir)} holds files already: those that are the same are taken as they are, ${secret.grade === 'write' ? 'others are sent, and of double ones both are kept' : 'different ones are replaced'}\n`,
    )
  if (hosts.length + bootstrap.length + relay.length === 0)
    io.out(
      '\nmembers are looked for on the local network only; known_hosts in the configuration names others\n',
    )
  return 0
}

export type MakeOptions = PlaceOptions &
  Partial<Pick<JoinOptions, 'knownHost' | 'bootstrap' | 'searchLan'>> &
  Pick<NewConfig, 'vault' | 'relays' | 'proxy'>

/** Writes a configuration and what belongs to it. */
export async function make(
  io: CliIo,
  madeBy: NewConfig['madeBy'],
  dir: string,
  secret: Secret,
  options: MakeOptions,
): Promise<{ places: Places; made: NewShare }> {
  const places = placesOf(askerOf(io), dir, options)
  const { makeShare } = await import('../daemon/new-share.js')
  return { places, made: await makeShare(newShareOf(io, madeBy, dir, secret, places, options)) }
}

/** Whether a join could be made, with a secret that is not known yet. */
async function check(io: CliIo, dir: string, options: MakeOptions): Promise<void> {
  const places = placesOf(askerOf(io), dir, options)
  const { checkShare } = await import('../daemon/new-share.js')
  const unknown = writeSecretOf(randomBytes(KEY_BYTES))
  await checkShare(newShareOf(io, 'join', dir, unknown, places, options))
}

function newShareOf(
  io: CliIo,
  madeBy: NewConfig['madeBy'],
  dir: string,
  secret: Secret,
  { name, storage, config }: Places,
  { port, knownHost = [], bootstrap = [], searchLan = true, relays, proxy, vault }: MakeOptions,
): NewShareOptions {
  return {
    config: {
      name,
      madeBy,
      secret,
      dir: resolve(dir),
      storagePath: storage,
      port,
      knownHosts: knownHost,
      bootstrap,
      searchLan,
      ...(relays !== undefined && { relays }),
      ...(proxy !== undefined && { proxy }),
      ...(vault !== undefined && { vault }),
    },
    configFile: config,
    configFolders: configFoldersOf(askerOf(io)),
    isJoining: madeBy !== 'share',
    nowMs: Date.now,
  }
}

/** Who asks, for the places of files. */
export function askerOf({ env }: CliIo): Asker {
  return { uid: process.getuid?.(), home: env.HOME || homedir(), env }
}

/** Where its configuration and storage go. @throws ShoalError USAGE */
export function placesOf(asker: Asker, dir: string, { name, config, storage }: PlaceOptions): Places {
  const chosen = name ?? nameOfFolder(resolve(dir))
  if (!NAME.test(chosen))
    throw new ShoalError(
      'USAGE',
      name === undefined
        ? `no name can be made of the folder's: give one with --name`
        : `a name has letters, digits, "_" and "-", at most 64 of them, and no "-" first`,
    )
  return {
    name: chosen,
    config: resolve(config ?? join(configFolderOf(asker), `${chosen}.conf`)),
    storage: resolve(storage ?? join(stateFolderOf(asker), chosen)),
  }
}

/** The secret of a text that a share can be joined with. Throws SECRET_INVALID. */
export function secretOf(text: string): Secret {
  const found = secretOrFault(text)
  if ('grade' in found) return found
  throw new ShoalError('SECRET_INVALID', found.message)
}

/** What runs it together with all configurations beside it. */
function upCommand(configFile: string): string {
  return `shoal up ${quoted(dirname(configFile))}`
}

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
