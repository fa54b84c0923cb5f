// What "webui" asks for: where the control API is served over TCP, to whom, with which certificate. Promises: nothing is
// served to anybody without credentials; no message holds any of a secret. Files of secrets and certificates are read by
// loadWeb.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { isWithin } from './checks.js'
import type { Config, SecretFile } from './config.js'
import { formatKey, type Position, type PositionedJson, type Problem } from './json.js'
import { exposure, type OpenedText, openText, reason } from './open.js'
import type { PrivateText, WebuiShape } from './webui-keys.js'

/** What "webui" asks for, before files are read. Paths are absolute. */
export interface WebConfig {
  readonly host: string
  readonly port: number
  readonly hosts: readonly string[]
  readonly login?: string
  readonly password?: string | SecretFile
  readonly passwordHash?: string | SecretFile
  readonly apiKey?: string | SecretFile
  readonly certificate?: string
  readonly privateKey?: string
  /** Folders in which shares may be added over TCP. */
  readonly dirWhitelist: readonly string[]
  readonly positionOf: (key: keyof WebuiShape) => Position
}

/** The same with everything read: what the daemon serves with (src/control/web/settings.ts). */
export interface LoadedWeb {
  readonly host: string
  readonly port: number
  readonly hosts: readonly string[]
  readonly login?: {
    readonly name: string
    readonly password: { readonly type: 'plain' | 'hash'; readonly text: string }
  }
  readonly apiKey?: string
  readonly tls?: { readonly certificate: string; readonly privateKey: string }
  readonly dirWhitelist: readonly string[]
}

/** What is in a file of a password or key is one line. */
const MAX_SECRET_BYTES = 4096
const MAX_PEM_BYTES = 256 << 10
const MIN_KEY_LENGTH = 20
/**
 * How a key begins that stands in the configuration itself. BitTorrent Sync's named an application, was in the packages of
 * some for all to read, and let nobody in by itself.
 */
const OWN_KEY = 'shoal-'
/** libcrypt takes no more (CRYPT_MAX_PASSPHRASE_SIZE). */
const MAX_PASSWORD_BYTES = 511
/** A password of fewer characters is guessed even at the rate that wrong tries are allowed at. */
const SHORT_PASSWORD = 10
/** SHA-256, SHA-512, bcrypt, scrypt, yescrypt: DES looks at eight characters alone, and MD5 is fast to try. */
const HASH =
  /^\$(?:[56]\$(?:rounds=\d{4,6}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43,86}|2[aby]\$(?:0[4-9]|1[0-4])\$[./0-9A-Za-z]{53}|(?:7|y|gy)\$[./0-9A-Za-z$]{20,250})$/

/** What is asked for, with the problems it has; undefined: nothing is to be served. */
export function webOf(
  shape: WebuiShape | undefined,
  base: string,
  json: PositionedJson,
  problems: Problem[],
): WebConfig | undefined {
  if (shape === undefined) return undefined
  const add = (key: keyof WebuiShape, message: string): void => {
    problems.push(problemAt((name) => json.positionOf(['webui', name]), key, message))
  }
  if (shape.allow_empty_password)
    add('allow_empty_password', 'would let anyone in, expected false, with "login" and "password_hash"')
  if (shape.listen === undefined || shape.listen === '') return undefined
  const place = placeOf(shape.listen)
  if (place === undefined) {
    add(
      'listen',
      `is a text of ${shape.listen.length} characters, expected "127.0.0.1:PORT" or another IP address of this machine and a port`,
    )
    return undefined
  }
  const { password, password_hash, login, force_https, ssl_certificate, ssl_private_key } = shape
  const api_key = isOldKey(shape.api_key) ? undefined : shape.api_key
  if (isGiven(password) && isGiven(password_hash))
    add('password_hash', 'stands beside "password", expected one of them')
  if ((ssl_certificate === undefined) !== (ssl_private_key === undefined))
    add(
      ssl_certificate === undefined ? 'ssl_private_key' : 'ssl_certificate',
      'stands alone, expected both "ssl_certificate" and "ssl_private_key"',
    )
  if (force_https && ssl_certificate === undefined)
    add(
      'force_https',
      'is true without a certificate, expected "ssl_certificate" and "ssl_private_key" beside it',
    )
  if (!lets(shape)) {
    if (!isThisMachine(place.host))
      add(
        'listen',
        'would open the control API to the network without a login, expected "login" and "password_hash", or "api_key", beside it',
      )
    return undefined
  }
  const privateOf = (given: PrivateText | undefined): { value: string | SecretFile } | undefined =>
    !isGiven(given)
      ? undefined
      : { value: typeof given === 'string' ? given : { file: resolve(base, given!.file) } }
  const [passwordText, hashText, keyText] = [password, password_hash, api_key].map(privateOf)
  const config: WebConfig = {
    ...place,
    hosts: shape.hosts.map((host) => host.toLowerCase()),
    ...(login !== undefined && login !== '' && { login }),
    ...(passwordText !== undefined && { password: passwordText.value }),
    ...(hashText !== undefined && { passwordHash: hashText.value }),
    ...(keyText !== undefined && { apiKey: keyText.value }),
    ...(ssl_certificate !== undefined && { certificate: resolve(base, ssl_certificate) }),
    ...(ssl_private_key !== undefined && { privateKey: resolve(base, ssl_private_key) }),
    dirWhitelist: (shape.dir_whitelist ?? []).map((folder) => resolve(base, folder)),
    positionOf: (key) => json.positionOf(['webui', key]),
  }
  for (const key of PRIVATE) {
    const given = config[FIELD[key]]
    const fault = typeof given === 'string' ? faultOf(key, given) : undefined
    if (fault !== undefined) add(key, fault)
  }
  return config
}

/** Files of its secrets and certificate: whoever can write them decides who gets in. */
export function webFiles(web: WebConfig | undefined): string[] {
  return Object.values(filesByKey(web))
}

/** Files that lie where others than this machine's user may write them. */
export function sharedWebFiles(config: Pick<Config, 'webui' | 'shares'>): Problem[] {
  const { webui, shares } = config
  return Object.entries(filesByKey(webui)).flatMap(([key, file]) => {
    const at = shares.findIndex(({ dir }) => isWithin(file, dir))
    if (at < 0) return []
    const message = `is a file in the folder of shared_folders[${at}], so everyone who can write there would choose who gets in; expected a place apart from it`
    return [problemAt(webui!.positionOf, key as keyof WebuiShape, message)]
  })
}

function filesByKey(web: WebConfig | undefined): Partial<Record<keyof WebuiShape, string>> {
  if (web === undefined) return {}
  const secrets = PRIVATE.flatMap((key) => {
    const given = web[FIELD[key]]
    return typeof given === 'object' ? [[key, given.file] as const] : []
  })
  const { certificate, privateKey } = web
  return {
    ...Object.fromEntries(secrets),
    ...(certificate !== undefined && { ssl_certificate: certificate }),
    ...(privateKey !== undefined && { ssl_private_key: privateKey }),
  }
}

/** What is allowed and most likely not meant. */
export function unwiseWeb(shape: WebuiShape | undefined, json: PositionedJson): Problem[] {
  const { listen } = shape ?? {}
  const place = listen === undefined ? undefined : placeOf(listen)
  if (shape === undefined || place === undefined) return []
  const warn = (key: keyof WebuiShape, message: string): Problem =>
    problemAt((name) => json.positionOf(['webui', name]), key, message)
  const notes = isOldKey(shape.api_key)
    ? [
        {
          ...warn(
            'api_key',
            `lets nobody in: such keys named a program to BitTorrent Sync and were no secret; one of your own stands in a file, or begins with "${OWN_KEY}"`,
          ),
          isNote: lets(shape),
        },
      ]
    : []
  if (!lets(shape))
    return [
      ...notes,
      warn(
        'listen',
        'has no effect: nothing is served over TCP without "login" and a password, or "api_key"',
      ),
    ]
  const { password, ssl_certificate } = shape
  const warnings: Problem[] = [...notes]
  if (!isThisMachine(place.host) && ssl_certificate === undefined)
    warnings.push(
      warn(
        'listen',
        'sends passwords and keys over the network for anyone on the way to read, expected "ssl_certificate" beside it, or "127.0.0.1:PORT" behind a program that speaks TLS',
      ),
    )
  if (typeof password === 'string' && [...password].length < SHORT_PASSWORD)
    warnings.push(warn('password', `is short, expected ${SHORT_PASSWORD} characters or more`))
  return warnings
}

/** Reads the files of secrets and certificates. Undefined if there are problems. */
export async function loadWeb(web: WebConfig, problems: Problem[]): Promise<LoadedWeb | undefined> {
  const before = problems.length
  const add = (key: keyof WebuiShape, message: string): void => {
    problems.push(problemAt(web.positionOf, key, message))
  }
  const read = async (key: (typeof PRIVATE)[number]): Promise<string | undefined> => {
    const given = web[FIELD[key]]
    if (given === undefined || typeof given === 'string') return given
    const text = (await textOf(given.file, MAX_SECRET_BYTES, true, (message) => add(key, message)))?.trim()
    const fault = text === undefined ? undefined : text === '' ? 'is empty' : faultOf(key, text)
    if (fault !== undefined) add(key, `in ${given.file}: ${fault}`)
    return text
  }
  const [password, hash, apiKey] = [
    await read('password'),
    await read('password_hash'),
    await read('api_key'),
  ]
  const tls = await tlsOf(web, add)
  if (problems.length > before) return undefined
  const { host, port, hosts, login, dirWhitelist } = web
  const text = hash ?? password
  return {
    ...{ host, port, hosts, dirWhitelist },
    ...(login !== undefined &&
      text !== undefined && {
        login: { name: login, password: { type: hash === undefined ? 'plain' : 'hash', text } },
      }),
    ...(apiKey !== undefined && { apiKey }),
    ...(tls !== undefined && { tls }),
  }
}

const PRIVATE = ['password', 'password_hash', 'api_key'] as const
const FIELD = { password: 'password', password_hash: 'passwordHash', api_key: 'apiKey' } as const

/** What is wrong with a text, without a word of it. */
function faultOf(key: (typeof PRIVATE)[number], text: string): string | undefined {
  const found = `is a text of ${text.length} characters`
  switch (key) {
    case 'password':
      return /\p{Cc}/u.test(text) || Buffer.byteLength(text) > MAX_PASSWORD_BYTES
        ? `${found}, expected one of ${MAX_PASSWORD_BYTES} bytes at most without control characters`
        : undefined
    case 'password_hash':
      return HASH.test(text)
        ? undefined
        : `${found}, expected a hash of crypt(3) that begins with $6$, $5$, $y$ or $2b$: make one with openssl passwd -6`
    case 'api_key':
      return /^[\x21-\x7e]{20,1024}$/.test(text)
        ? undefined
        : `${found}, expected ${MIN_KEY_LENGTH} characters or more without spaces: make one with openssl rand -hex 24`
  }
}

async function tlsOf(
  { certificate: certificateFile, privateKey: keyFile }: WebConfig,
  add: (key: 'ssl_certificate' | 'ssl_private_key', message: string) => void,
): Promise<LoadedWeb['tls']> {
  if (certificateFile === undefined || keyFile === undefined) return undefined
  const certificate = await textOf(certificateFile, MAX_PEM_BYTES, false, (why) =>
    add('ssl_certificate', why),
  )
  const privateKey = await textOf(keyFile, MAX_PEM_BYTES, true, (why) => add('ssl_private_key', why))
  if (certificate === undefined || privateKey === undefined) return undefined
  const parsed = attempt(() => new X509Certificate(certificate))
  if (parsed === undefined)
    return void add('ssl_certificate', `${certificateFile} holds no certificate in PEM form`)
  const key = attempt(() => createPrivateKey(privateKey))
  if (key === undefined)
    return void add('ssl_private_key', `${keyFile} holds no private key in PEM form without a passphrase`)
  if (!parsed.checkPrivateKey(key))
    return void add('ssl_private_key', `${keyFile} is not the key of the certificate in ${certificateFile}`)
  // Most daemons need none of it.
  const { createSecureContext } = await import('node:tls')
  if (attempt(() => createSecureContext({ cert: certificate, key: privateKey })) === undefined)
    return void add('ssl_certificate', `${certificateFile} and its key are not fit for TLS`)
  return { certificate, privateKey }
}

/** Undefined if it throws; what OpenSSL says could quote the key. */
function attempt<T>(make: () => T): T | undefined {
  try {
    return make()
  } catch {
    return undefined
  }
}

async function textOf(
  file: string,
  maxBytes: number,
  isSecret: boolean,
  say: (message: string) => void,
): Promise<string | undefined> {
  let read: OpenedText
  try {
    read = await openText(file, maxBytes)
  } catch (error) {
    say(`cannot read ${file}: ${reason(error)}`)
    return undefined
  }
  const exposed = exposure(read.file, process.geteuid?.() ?? 0, isSecret)
  if (exposed === undefined) return read.text
  say(exposed)
  return undefined
}

function problemAt(
  positionOf: (key: keyof WebuiShape) => Position,
  key: keyof WebuiShape,
  message: string,
): Problem {
  return { position: positionOf(key), key: formatKey(['webui', key]), message }
}

/** Whether anybody can show what lets in. */
function lets({ login, password, password_hash, api_key }: WebuiShape): boolean {
  return (
    (isGiven(login) && (isGiven(password) || isGiven(password_hash))) ||
    (isGiven(api_key) && !isOldKey(api_key))
  )
}

function isOldKey(key: PrivateText | undefined): boolean {
  return typeof key === 'string' && key !== '' && !key.startsWith(OWN_KEY)
}

function isGiven(value: PrivateText | undefined): boolean {
  return value !== undefined && value !== ''
}

/** "127.0.0.1:8888", "[::1]:8888", "localhost:8888"; names could be anybody's. */
function placeOf(listen: string): { readonly host: string; readonly port: number } | undefined {
  const [, ipv6, ipv4, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):([1-9]\d{0,4})$/.exec(listen) ?? []
  const port = Number(digits)
  if (!(port <= 65_535)) return undefined
  if (ipv6 !== undefined) return isIP(ipv6) === 6 ? { host: ipv6, port } : undefined
  return ipv4 === 'localhost' || isIP(ipv4!) === 4 ? { host: ipv4!, port } : undefined
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}
