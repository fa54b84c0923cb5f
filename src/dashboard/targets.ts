// Which daemons the dashboard is of: those of the named configurations, and of the configurations in named folders; without
// names those of this machine, as far as whoever asks may know of them.
import fs from 'node:fs/promises'
import { homedir } from 'node:os'
import path from 'node:path'
import { configFoldersOf } from '../config/places.js'
import { readConfig } from '../config/secrets.js'
import { ShoalError } from '../core/error.js'
import { findConfigs } from '../supervisor/configs.js'
import { SYSTEM_FOLDERS } from '../supervisor/place.js'

export interface Target {
  readonly name: string
  /** Where its daemon is reached; undefined: its configuration cannot be read. */
  readonly storagePath: string | undefined
  /** Why not; empty otherwise. */
  readonly fault: string
}

/** Throws NOT_FOUND if there are none, and what reading a named configuration throws. */
export async function targetsOf(
  names: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Target[]> {
  const found = names.length === 0 ? await ofThisMachine(env) : await Promise.all(names.map(named))
  const targets = uniqueOf(found.flat())
  if (targets.length > 0) return targets
  throw new ShoalError(
    'NOT_FOUND',
    names.length === 0
      ? 'there are no configurations on this machine: name one, or a folder of them'
      : `there are no configurations in ${names.join(', ')}`,
  )
}

async function named(name: string): Promise<Target[]> {
  // What is not there may be NAME.conf that stands in parts; reading it says what is wrong.
  const isFolder = await fs.stat(name).then(
    (stat) => stat.isDirectory(),
    () => false,
  )
  if (isFolder) return inFolder(path.resolve(name))
  const { config } = await readConfig(name)
  return [{ name: path.basename(name).replace(/\.conf$/, ''), storagePath: config.storagePath, fault: '' }]
}

async function ofThisMachine(env: Readonly<Record<string, string | undefined>>): Promise<Target[][]> {
  const asker = { uid: process.geteuid?.(), home: env.HOME ?? homedir(), env }
  const folders = [...new Set([...SYSTEM_FOLDERS, ...configFoldersOf(asker)])]
  return Promise.all(
    folders.map(async (folder) => {
      const isThere = await fs.access(folder, fs.constants.R_OK | fs.constants.X_OK).then(
        () => true,
        () => false,
      )
      return isThere ? inFolder(folder) : []
    }),
  )
}

async function inFolder(folder: string): Promise<Target[]> {
  const { wanted } = await findConfigs(folder, () => true)
  return wanted.map(({ name, storagePath, fault }) => ({
    name,
    storagePath,
    fault: storagePath === undefined ? (fault ?? 'its configuration cannot be read') : '',
  }))
}

function uniqueOf(targets: readonly Target[]): Target[] {
  const seen = new Set<string>()
  return targets.filter(({ name, storagePath }) => {
    const key = storagePath ?? `?${name}`
    return seen.has(key) ? false : seen.add(key)
  })
}
