// BitTorrent Sync's API, version 1, as a function from requests to responses: GET /api?method=NAME&..., as its
// documentation had it (docs/btsync-api.md). A translation over the control API: it decides nothing, and knows nothing of
// sockets or credentials. Promises: it never rejects; no answer but get_secrets holds a secret, and that only secrets
// that are new or that the request held; no parameter is logged.
import { ShoalError, toShoalError } from '../../core/error.js'
import type { Log } from '../../ports/log.js'
import { PACKAGE_VERSION } from '../../ports/package-version.js'
import { type ControlRequest, type ControlResponse, errorResponse } from '../request.js'
import { answer, ERRORS, errorAnswer, LegacyError } from './answer.js'
import { filesIn } from './files.js'
import {
  addFolder,
  filePreferences,
  folderHosts,
  folderOf,
  folderPreferences,
  folders,
  peers,
  removeFolder,
  secrets,
  setFolderHosts,
  setFolderPreferences,
} from './folders.js'
import type { LegacyHost } from './host.js'
import { Parameters } from './parameters.js'
import { preferences, setPreferences } from './preferences.js'

export const LEGACY_PATH = '/api'

type Method = (host: LegacyHost, parameters: Parameters) => Promise<unknown>

const METHODS: Readonly<Record<string, Method>> = {
  get_folders: folders,
  add_folder: addFolder,
  remove_folder: removeFolder,
  get_files: async (host, parameters) =>
    filesIn(host, (await folderOf(host, parameters)).at, parameters.text('path') ?? ''),
  set_file_prefs: filePreferences,
  get_folder_peers: peers,
  get_secrets: secrets,
  get_folder_prefs: folderPreferences,
  set_folder_prefs: setFolderPreferences,
  get_folder_hosts: folderHosts,
  set_folder_hosts: setFolderHosts,
  get_prefs: preferences,
  set_prefs: setPreferences,
  get_os: async () => ({ os: 'linux' }),
  get_version: async () => ({ version: PACKAGE_VERSION }),
  get_speed: speed,
  shutdown: async ({ backend }) => {
    await backend.stop()
    return { error: 0 }
  },
}

/** The methods that there are, for the documentation and its test. */
export const LEGACY_METHODS: readonly string[] = Object.keys(METHODS)

export function legacyHandler(
  host: LegacyHost,
  log: Log,
): (request: ControlRequest) => Promise<ControlResponse> {
  return async ({ method, path, query = '' }) => {
    if (path !== LEGACY_PATH)
      return errorResponse(new ShoalError('NOT_FOUND', `there is nothing below ${LEGACY_PATH}`))
    if (method !== 'GET')
      return errorResponse(
        new ShoalError('USAGE', `${LEGACY_PATH} is asked by GET, with its parameters in the query`),
      )
    const given = new URLSearchParams(query)
    const name = given.get('method') ?? ''
    const known = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined
    try {
      if (known === undefined) throw new LegacyError(ERRORS.METHOD, 'Invalid API method name or format.')
      return answer(await known(host, new Parameters(name, given)))
    } catch (thrown) {
      return errorAnswer(name, thrown instanceof LegacyError ? thrown : failure(thrown, name, log))
    }
  }
}

function failure(thrown: unknown, method: string, log: Log): LegacyError {
  const error = toShoalError(thrown)
  if (error.code !== 'INTERNAL') return new LegacyError(ERRORS.FAILED, error.message)
  log.error({ err: thrown, method }, 'a call of the old API failed')
  return new LegacyError(ERRORS.FAILED, 'the daemon met an unexpected error; its log has the details')
}

async function speed({ backend }: LegacyHost): Promise<unknown> {
  const { shares } = await backend.live()
  const sum = (of: 'downRate' | 'upRate'): number =>
    Math.round(shares.reduce((all, share) => all + share[of], 0))
  return { download: sum('downRate'), upload: sum('upRate') }
}
