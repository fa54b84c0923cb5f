// Where a new configuration and its storage go unless told: for root the system's places, for anybody else those of the
// XDG base directory specification (whose relative values count as unset).
import { isAbsolute, join } from 'node:path'

/** Who asks. */
export interface Asker {
  /** 0: root. Undefined where there are no users. */
  readonly uid: number | undefined
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The system's folder of configuration files. */
export const SYSTEM_CONFIG_FOLDER = '/etc/shoal'
const SYSTEM_STATE_FOLDER = '/var/lib/shoal'

/** The folder that a new configuration file goes to. */
export function configFolderOf({ uid, home, env }: Asker): string {
  return uid === 0 ? SYSTEM_CONFIG_FOLDER : join(xdg(env.XDG_CONFIG_HOME, home, '.config'), 'shoal')
}

/** The folder that the storage of a new instance goes to, in a folder of its name. */
export function stateFolderOf({ uid, home, env }: Asker): string {
  return uid === 0 ? SYSTEM_STATE_FOLDER : join(xdg(env.XDG_STATE_HOME, home, '.local', 'state'), 'shoal')
}

/** Every folder that configurations of this machine are looked for in, so that no two have one directory. */
export function configFoldersOf(asker: Asker): string[] {
  return [...new Set([SYSTEM_CONFIG_FOLDER, configFolderOf(asker)])]
}

function xdg(value: string | undefined, home: string, ...otherwise: string[]): string {
  return value !== undefined && isAbsolute(value) ? value : join(home, ...otherwise)
}
