// What `shoal share` and `shoal join` do to a disk: see that a folder is free to become a share, write the configuration,
// make the storage and the marker. Promises: nothing is made unless everything that can be checked before is right; a
// file that is there is never replaced; a folder that is in a share, holds one, or is another configuration's is refused.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { type Config, parseConfig } from '../config/config.js'
import { folderOverlaps } from '../config/folders.js'
import { newConfigText } from '../config/new-config.js'
import { readConfig } from '../config/secrets.js'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { OWN_DIR } from '../core/path.js'
import { keysOf } from '../core/secret.js'
import { findMarker, prepareOwnDir, writeMarker } from '../folder/marker.js'
import { asUser } from '../instance/as-user.js'
import { mustBeStarter } from '../instance/drop.js'
import { type Instance, resolveInstance } from '../instance/resolve.js'
import { checkStorage, makeStorage } from '../instance/storage.js'
import { mustBeFree, realFolder } from './free-folder.js'
import { lockDirectory } from './lock.js'
import type { NewShare, NewShareOptions } from './new-share-types.js'

interface Checked {
  /** The folder with links followed. */
  readonly dir: string
  readonly exists: boolean
  readonly text: string
  /** As whom it is going to run. */
  readonly instance: Instance
}

/** Whether makeShare could make it; changes nothing. Throws as makeShare. */
export async function checkShare(options: NewShareOptions): Promise<Checked> {
  const { config, configFile, isJoining } = options
  // Beside its parts, a file would be one configuration with them, and in their way (config/source.ts).
  for (const file of [configFile, `${configFile}.d`]) if (exists(file)) throw alreadyThere(file)
  checkUnused(config.storagePath)
  const dir = realFolder(config.dir, isJoining)
  const text = newConfigText({ ...config, dir: dir.real })
  checkText(text, configFile)
  const instance = resolveInstance(configFile, text)
  if (process.geteuid!() !== 0) mustBeStarter(instance)
  checkStorage(config.storagePath, instance, process.geteuid!() === 0)
  await checkOthers(dir.real, config.storagePath, options.configFolders)
  await mustBeFree(dir, isJoining ? keysOf(config.secret).shareId : undefined)
  return { dir: dir.real, exists: dir.exists, text, instance }
}

/**
 * Makes a share on this machine, all but the configuration as its user's. Throws EXISTS, SHARE_UNUSABLE,
 * STORAGE_UNUSABLE, FILE_EXPOSED, CONFIG_INVALID, WRONG_USER, IO.
 */
export async function makeShare(options: NewShareOptions): Promise<NewShare> {
  const { config, configFile, nowMs } = options
  const checked = await checkShare(options)
  const { dir, instance } = checked
  const hadContent = checked.exists && fs.readdirSync(dir).some((name) => name !== OWN_DIR)
  makeFolder(config.storagePath, 0o700, 'STORAGE_UNUSABLE', instance)
  // Before the marker: a configuration without one is a first start, a marker without a configuration a lost share.
  writeNew(configFile, checked.text)
  try {
    if (!checked.exists) makeFolder(dir, 0o777, 'SHARE_UNUSABLE', instance)
    asUser(instance, () => {
      prepareOwnDir(dir)
      markAs(dir, keysOf(config.secret).shareId, nowMs())
    })
  } catch (thrown) {
    fs.unlinkSync(configFile)
    throw thrown
  }
  return { dir, runsAs: instance.user, hadContent }
}

/** Puts the marker into a folder, unless it is there. Another one may have come since the folder was looked at. */
function markAs(dir: string, shareId: ShareId, nowMs: number): void {
  const lock = lockDirectory(dir)
  try {
    const found = findMarker(dir)
    if (found.type === 'absent') writeMarker(dir, shareId, nowMs)
    else if (found.type !== 'present' || found.shareId !== shareId)
      throw new ShoalError('SHARE_UNUSABLE', `${dir} has just become another share`)
  } finally {
    lock?.release()
  }
}

/** What is written must be what the daemon takes without a word. */
function checkText(text: string, configFile: string): void {
  const { warnings } = parseConfig(text, configFile)
  if (warnings.length > 0)
    throw new ShoalError('CONFIG_INVALID', warnings.map((each) => each.text).join('\n'))
}

function checkUnused(storagePath: string): void {
  if (exists(path.join(storagePath, 'identity.json')) || exists(path.join(storagePath, 'lock')))
    throw new ShoalError(
      'EXISTS',
      `${storagePath} is the storage of another configuration: choose another --name, or another --storage`,
    )
}

/** Whether a configuration of this machine has the folder, one above or one below it, or the same storage. */
async function checkOthers(dir: string, storagePath: string, folders: readonly string[]): Promise<void> {
  for (const file of folders.flatMap(configsIn)) {
    let other: Config
    try {
      other = (await readConfig(file)).config
    } catch (thrown) {
      // Not readable by us, or broken: it says nothing about folders, and the markers are still looked at.
      if (thrown instanceof ShoalError) continue
      throw thrown
    }
    const position = { line: 1, column: 1 }
    const own = { dir, position } as Config['shares'][number]
    const apart = async (shares: Config['shares'], storage: string): Promise<boolean> =>
      (await folderOverlaps({ ...other, shares, storagePath: storage })).length === 0
    const clash = async (what: string): Promise<never> => {
      throw new ShoalError('SHARE_UNUSABLE', `${dir} ${what} of ${file}`)
    }
    if (other.storagePath === storagePath)
      throw new ShoalError('EXISTS', `${storagePath} is the storage of ${file}: choose another --storage`)
    if (!(await apart([own], other.storagePath))) await clash('contains the storage')
    for (const share of other.shares)
      if (!(await apart([own, { ...share, position }], storagePath)))
        await clash(`is, contains or lies in the folder ${share.dir}`)
  }
}

/** NAME.conf, also where only NAME.conf.d is there. */
function configsIn(folder: string): string[] {
  try {
    const names = fs.readdirSync(folder).flatMap((name) => /^(.*\.conf)(?:\.d)?$/s.exec(name)?.[1] ?? [])
    return [...new Set(names)].map((name) => path.join(folder, name))
  } catch {
    // There is none, or it is not ours to read: then its markers speak for it.
    return []
  }
}

/** Makes a folder of the user's if it is not there; one that is stays as it is. */
function makeFolder(
  folder: string,
  mode: number,
  code: 'STORAGE_UNUSABLE' | 'SHARE_UNUSABLE',
  instance: Instance,
): void {
  try {
    if (process.geteuid!() === 0) makeStorage(folder, instance, mode & 0o755)
    asUser(instance, () => fs.mkdirSync(folder, { recursive: true, mode }))
  } catch (cause) {
    throw new ShoalError(code, `cannot make ${folder}: ${(cause as Error).message}`, { cause })
  }
}

/** Writes a file whole and durably, mode 0600; never over one that is there. */
function writeNew(file: string, text: string): void {
  const folder = path.dirname(file)
  const temporary = path.join(folder, `.${path.basename(file)}.${randomBytes(6).toString('hex')}`)
  try {
    fs.mkdirSync(folder, { recursive: true, mode: 0o755 })
    const fd = fs.openSync(temporary, 'wx', 0o600)
    try {
      fs.writeFileSync(fd, text)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    // Unlike a rename, a link takes no name that is taken.
    fs.linkSync(temporary, file)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST') throw alreadyThere(file)
    throw new ShoalError('IO', `cannot write ${file}: ${(cause as Error).message}`, { cause })
  } finally {
    fs.rmSync(temporary, { force: true })
  }
  const fd = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function exists(file: string): boolean {
  return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined
}

function alreadyThere(file: string): ShoalError {
  return new ShoalError('EXISTS', `${file} is there already: choose another --name, or another --config`)
}
