// get_prefs and set_prefs: the daemon's settings in the forms that BitTorrent Sync's documentation has for them, numbers
// as numbers here and as texts there, flags as "true" and "false" or as 0 and 1. Limits alone can be changed, until a
// restart: the rest stands in the configuration file.
import { ERRORS, LegacyError } from './answer.js'
import type { LegacyHost } from './host.js'
import type { Parameters } from './parameters.js'

const KB = 1024
/** kB/s; far above any network. */
const MAX_RATE = 1_000_000_000
/** What stands for "no limit" where the old format has no word for it. */
const NO_LIMIT_MB = 999_999

/** What Shoal has no setting for: as it always is here, or, where nothing is like it, BitTorrent Sync's default. */
const FIXED = {
  lan_encrypt_data: 'true',
  lan_use_tcp: 'true',
  lang: -1,
  max_file_size_diff_for_patching: '1000',
  recv_buf_size: '5',
  send_buf_size: '5',
} as const

export async function preferences(host: LegacyHost): Promise<Readonly<Record<string, string | number>>> {
  const { download, upload, holdLocally } = await host.backend.limits()
  const own = host.preferences()
  return {
    ...FIXED,
    device_name: own.deviceName,
    disk_low_priority: String(own.diskLowPriority),
    download_limit: Math.ceil(download / KB),
    folder_rescan_interval: String(own.rescanSeconds),
    listening_port: own.port,
    max_file_size_for_versioning: String(own.versioningMegabytes ?? NO_LIMIT_MB),
    rate_limit_local_peers: String(holdLocally),
    sync_max_time_diff: String(own.maxTimeDiffSeconds),
    sync_trash_ttl: String(own.trashDays),
    upload_limit: Math.ceil(upload / KB),
    use_upnp: own.usesUpnp ? 1 : 0,
  }
}

/** Sets what can be and answers with what is then. Nothing is set if anything given cannot be. */
export async function setPreferences(
  host: LegacyHost,
  parameters: Parameters,
): Promise<Readonly<Record<string, string | number>>> {
  const before = await preferences(host)
  const [download, upload] = ['download_limit', 'upload_limit'].map((name) =>
    parameters.number(name, MAX_RATE),
  )
  for (const [name, value] of Object.entries(before)) {
    const given = parameters.text(name)
    if (given === undefined || name.endsWith('load_limit') || isSame(given, value)) continue
    throw new LegacyError(
      ERRORS.CONFIGURED,
      name in FIXED
        ? `${name} cannot be changed`
        : `${name} stands in the configuration file, change it there`,
    )
  }
  if (download !== undefined || upload !== undefined)
    await host.backend.setLimits({
      ...(download !== undefined && { download: download * KB }),
      ...(upload !== undefined && { upload: upload * KB }),
    })
  return preferences(host)
}

/** Clients send back what they were given, in whichever of the two forms of a flag. */
function isSame(given: string, value: string | number): boolean {
  const plain = (text: string): string => ({ true: '1', false: '0' })[text] ?? text
  return plain(given) === plain(String(value))
}
