// The methods of BitTorrent Sync's API about folders. A folder is named by its handle, which get_folders tells as its
// "secret", or by any secret of its share; the secrets of what is here are never told.

import { type ErrorCode, ShoalError } from '../../core/error.js'
import { folderHandleIn, isFolderHandle } from '../../core/folder-handle.js'
import { deriveSecret, formatSecret, parseSecret, type Secret } from '../../core/secret.js'
import type { FolderReport, FolderSettings } from '../schema-folders.js'
import { ERRORS, LegacyError } from './answer.js'
import type { LegacyHost } from './host.js'
import { type Parameters, wrong } from './parameters.js'

/** A folder that is served. Its place may be another's when folders come and go; its path is its own. */
interface Found {
  readonly at: number
  readonly dir: string
}

/** The folder that a request names. PARAMETERS, SECRET. */
export async function folderOf(host: LegacyHost, parameters: Parameters): Promise<Found> {
  const found = await findFolder(host, parameters.required('secret'))
  if (found === undefined) throw new LegacyError(ERRORS.SECRET, 'Invalid secret.')
  return found
}

/** Undefined: it is of no share that is here, or no secret. */
async function findFolder(host: LegacyHost, text: string): Promise<Found | undefined> {
  const handles = await host.handles()
  try {
    const meant = folderHandleIn(text)
    const at = handles.findIndex(({ handle }) => handle === meant)
    return at < 0 ? undefined : { at, dir: handles[at]!.dir }
  } catch (thrown) {
    if (isCode(thrown, 'SECRET_INVALID')) return undefined
    throw thrown
  }
}

export async function folders(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const named = parameters.text('secret')
  const only = named === undefined ? undefined : await findFolder(host, named)
  const { shares } = await host.backend.status()
  const handles = await host.handles()
  return shares.flatMap(({ dir, bytes, files, grade, state }) => {
    if (named !== undefined && dir !== only?.dir) return []
    return [
      {
        dir,
        secret: handles.find((each) => each.dir === dir)?.handle ?? '',
        size: bytes,
        type: grade === 'write' ? 'read_write' : 'read_only',
        files,
        error: state === 'halted' ? ERRORS.NOT_SYNC_FOLDER : 0,
        indexing: state === 'scanning' ? 1 : 0,
      },
    ]
  })
}

export async function addFolder(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const named = parameters.required('dir')
  if (parameters.flag('selective_sync') === true) throw notOffered('selective sync')
  const given = parameters.text('secret')
  const admission = await host.admits(named)
  switch (admission.type) {
    case 'missing':
      throw new LegacyError(ERRORS.FOLDER, "Can't open the destination folder.")
    case 'closed':
      throw new LegacyError(ERRORS.PERMISSION, "Don't have permissions to write to the selected folder.")
    case 'forbidden':
      throw new LegacyError(
        ERRORS.PERMISSION,
        'Don\'t have permissions to share the selected folder: "dir_whitelist" in "webui" names the folders in which any may be',
      )
  }
  if (given !== undefined && isFolderHandle(given))
    throw new LegacyError(ERRORS.TWICE, 'The folder of this secret has already been added.')
  const secret = given ?? formatSecret(host.makeSecret())
  await host.backend.addShare({ dir: admission.dir, secret }).catch((thrown: unknown) => {
    throw isCode(thrown, ...(Object.keys(ADDING) as ErrorCode[]))
      ? new LegacyError(ADDING[thrown.code]!, thrown.message)
      : thrown
  })
  return { error: 0 }
}

const ADDING: Partial<Record<ErrorCode, number>> = {
  SECRET_INVALID: ERRORS.NEW_SECRET,
  NOT_YET: ERRORS.NEW_SECRET,
  EXISTS: ERRORS.TWICE,
  SHARE_UNUSABLE: ERRORS.FOLDER,
  CONFIG_INVALID: ERRORS.FOLDER,
  USAGE: ERRORS.FOLDER,
}

export async function removeFolder(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const found = await findFolder(host, parameters.required('secret'))
  if (found === undefined) throw new LegacyError(ERRORS.METHOD, 'There is no folder with this secret.')
  mustBeAdded(await reportOf(host, found))
  await host.backend.removeShare({ dir: found.dir })
  return { error: 0 }
}

export async function peers(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const { dir } = await folderOf(host, parameters)
  const share = (await host.backend.live()).shares.find((each) => each.dir === dir)
  const status = (await host.backend.status()).shares.find((each) => each.dir === dir)
  const seen = new Map(status?.members.map(({ device, lastSeen }) => [device, lastSeen]))
  return (share?.peers ?? []).map(({ device, name, transport, inSync, needBytes }) => ({
    // As long as theirs were: 20 bytes.
    id: Buffer.from(device.slice(0, 40), 'hex').toString('base64url').padEnd(28, '='),
    connection: transport === 'relayed' ? 'relay' : 'direct',
    name,
    synced: inSync ? Math.floor(Date.parse(seen.get(device) ?? '') / 1000) || 0 : 0,
    download: share?.needBytes ?? 0,
    upload: needBytes,
  }))
}

/** New secrets, or those that follow from one that the caller has. Those of folders that are here are not told. */
export async function secrets(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const given = parameters.text('secret')
  if (given !== undefined && isFolderHandle(given))
    throw new LegacyError(
      ERRORS.NOT_OFFERED,
      'the secrets of a folder are told on the socket in storage_path only, to whoever may read it',
    )
  const secret = given === undefined ? host.makeSecret() : parsed(given)
  const has = (grade: Secret['grade']): Record<string, string> => textOf(secret, grade)
  return {
    ...has('write'),
    ...has('read'),
    ...(parameters.text('type') === 'encryption' || secret.grade === 'blind' ? has('blind') : {}),
  }
}

const NAMES = { write: 'read_write', read: 'read_only', blind: 'encryption' } as const

function textOf(secret: Secret, grade: Secret['grade']): Record<string, string> {
  try {
    return { [NAMES[grade]]: formatSecret(deriveSecret(secret, grade)) }
  } catch (thrown) {
    // Above what was given.
    if (isCode(thrown, 'SECRET_GRADE')) return {}
    throw thrown
  }
}

function parsed(text: string): Secret {
  try {
    return parseSecret(text)
  } catch (thrown) {
    if (isCode(thrown, 'SECRET_INVALID')) throw new LegacyError(ERRORS.SECRET, 'Invalid secret.')
    throw thrown
  }
}

export async function folderPreferences(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  return preferencesOf(settingsOf(await reportOf(host, await folderOf(host, parameters))))
}

/** Sets what can be and answers with what is then: what Shoal has not (a tracker) shows there as it is. */
export async function setFolderPreferences(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const found = await folderOf(host, parameters)
  const report = await reportOf(host, found)
  const before = settingsOf(report)
  const asked = {
    searchLan: parameters.flag('search_lan') ?? before.searchLan,
    useDht: parameters.flag('use_dht') ?? before.useDht,
    useRelay: parameters.flag('use_relay_server') ?? before.useRelay,
    useSyncTrash: parameters.flag('use_sync_trash') ?? before.useSyncTrash,
  }
  for (const name of ['use_hosts', 'use_tracker']) parameters.flag(name)
  const isSame = Object.entries(asked).every(([name, value]) => before[name as keyof typeof asked] === value)
  if (!isSame) {
    mustBeAdded(report)
    await host.backend.changeShare({ share: found.dir, ...asked })
  }
  return preferencesOf(settingsOf(await reportOf(host, found)))
}

export async function folderHosts(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const { knownHosts } = settingsOf(await reportOf(host, await folderOf(host, parameters)))
  return { hosts: knownHosts }
}

export async function setFolderHosts(host: LegacyHost, parameters: Parameters): Promise<unknown> {
  const knownHosts = parameters.hosts('hosts')
  const found = await folderOf(host, parameters)
  const report = await reportOf(host, found)
  if (JSON.stringify(settingsOf(report).knownHosts) !== JSON.stringify(knownHosts)) {
    mustBeAdded(report)
    await host.backend.changeShare({ share: found.dir, knownHosts }).catch((thrown: unknown) => {
      throw isCode(thrown, 'CONFIG_INVALID') ? wrong('hosts', 'host:port,host:port,...') : thrown
    })
  }
  return { hosts: settingsOf(await reportOf(host, found)).knownHosts }
}

/** set_file_prefs: its parameters are checked as ever. */
export async function filePreferences(host: LegacyHost, parameters: Parameters): Promise<never> {
  parameters.required('path')
  parameters.required('download')
  await folderOf(host, parameters)
  throw notOffered('selective sync')
}

function preferencesOf(settings: FolderSettings): Readonly<Record<string, 0 | 1>> {
  const number = (flag: boolean): 0 | 1 => (flag ? 1 : 0)
  return {
    search_lan: number(settings.searchLan),
    use_dht: number(settings.useDht),
    // Those that there are, are used.
    use_hosts: number(settings.knownHosts.length > 0),
    use_relay_server: number(settings.useRelay),
    use_sync_trash: number(settings.useSyncTrash),
    use_tracker: 0,
  }
}

/** SECRET: it has gone meanwhile. */
async function reportOf(host: LegacyHost, { dir }: Found): Promise<FolderReport> {
  const report = (await host.backend.folders()).find((each) => each.dir === dir)
  if (report === undefined || report.share === null) throw new LegacyError(ERRORS.SECRET, 'Invalid secret.')
  return report
}

function settingsOf({ settings }: FolderReport): FolderSettings {
  if (settings === null) throw new LegacyError(ERRORS.SECRET, 'Invalid secret.')
  return settings
}

function mustBeAdded({ added, dir }: FolderReport): void {
  if (!added)
    throw new LegacyError(ERRORS.CONFIGURED, `${dir} stands in the configuration file: change it there`)
}

function notOffered(what: string): LegacyError {
  return new LegacyError(ERRORS.NOT_OFFERED, `Shoal has no ${what}: the whole share is fetched`)
}

function isCode(thrown: unknown, ...codes: readonly ErrorCode[]): thrown is ShoalError {
  return thrown instanceof ShoalError && codes.includes(thrown.code)
}
