// The folders of a daemon that are not in its configuration file: added while it runs, and there again at the next start.
// Holds their settings beside what is kept of them. One that has come into conflict with the configuration, or cannot be
// read any more, is left out and told of, and the others go on.
import path from 'node:path'
import { type AddedFolder, addedShare, mustBeApart } from '../config/added-folder.js'
import { type Config, type ShareConfig, secretOrFault } from '../config/config.js'
import { ShoalError, toShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { formatSecret, keysOf, type Secret } from '../core/secret.js'
import type { Log } from '../ports/log.js'
import { FolderFile, folderFilePath, type KeptFolder, keptFolders } from './folder-file.js'

/** A folder to add. */
export type NewFolder = AddedFolder & { readonly secret: string }
/** What of an added folder can be changed. */
export type FolderChanges = Omit<Partial<AddedFolder>, 'secret' | 'dir' | 'vault'>

/** An added folder with its settings, or why it cannot be used. */
export interface Added {
  readonly kept: KeptFolder
  readonly settings?: ShareConfig<Secret>
  readonly fault?: string
}

export class AddedFolders {
  readonly #file: FolderFile
  #list: readonly Added[] = []

  private constructor(file: FolderFile) {
    this.#file = file
  }

  /** Reads what was added before. STORAGE_UNUSABLE. */
  static async open(config: Config<Secret>, log: Log): Promise<AddedFolders> {
    const file = new FolderFile(config.storagePath)
    const folders = new AddedFolders(file)
    for (const kept of file.folders) {
      const added = await load(config, kept, file.path, folders.shares)
      if (added === undefined) {
        log.info({ dir: kept.dir }, 'a folder that was added is in the configuration file now')
        file.remove(kept, undefined)
        continue
      }
      if (added.fault !== undefined)
        log.error({ dir: kept.dir, fault: added.fault }, 'a folder that was added cannot be used')
      folders.#list = [...folders.#list, added]
    }
    return folders
  }

  get all(): readonly Added[] {
    return this.#list
  }

  /** Of those that can be used, in the order in which they were added. */
  get shares(): readonly ShareConfig<Secret>[] {
    return this.#list.flatMap(({ settings }) => settings ?? [])
  }

  /** Shares that were removed. */
  get former(): readonly ShareId[] {
    return this.#file.former
  }

  /**
   * Takes a folder in, durably; `onTaken` is called once it is known to be apart from all others, before anything is written.
   * Its `dir` exists or can be made and has its links followed. Throws SECRET_INVALID, EXISTS,
   * SHARE_UNUSABLE, CONFIG_INVALID, NOT_YET, STORAGE_UNUSABLE.
   */
  async add(
    config: Config<Secret>,
    folder: NewFolder,
    onTaken: (settings: ShareConfig<Secret>) => void,
  ): Promise<ShareConfig<Secret>> {
    const found = secretOrFault(folder.secret)
    if (!('grade' in found)) throw new ShoalError('SECRET_INVALID', found.message)
    if (this.#list.some(({ kept }) => kept.dir === folder.dir))
      throw new ShoalError('EXISTS', `${folder.dir} is shared already`)
    const settings = await addedShare(config, folder, this.#file.path)
    await mustBeApart(config, settings, [...config.shares, ...this.shares])
    onTaken(settings)
    const kept = { ...folder, secret: this.#file.keepSecret(formatSecret(found)) }
    this.#file.add(kept)
    this.#list = [...this.#list, { kept, settings }]
    return settings
  }

  /** Changes what is said of a folder, durably. Throws NOT_FOUND, CONFIG_INVALID, STORAGE_UNUSABLE. */
  async change(config: Config<Secret>, dir: string, changes: FolderChanges): Promise<ShareConfig<Secret>> {
    const before = this.#at(dir)
    const kept = { ...before.kept, ...changes }
    const settings = await addedShare(config, kept, this.#file.path)
    this.#file.replace(before.kept, kept)
    this.#list = this.#list.map((each) => (each === before ? { kept, settings } : each))
    return settings
  }

  /** Forgets a folder and its secret. Throws NOT_FOUND, STORAGE_UNUSABLE. */
  remove(dir: string): void {
    const { kept, settings } = this.#at(dir)
    this.#file.remove(kept, settings === undefined ? undefined : keysOf(settings.secret).shareId)
    this.#list = this.#list.filter((each) => each.kept !== kept)
  }

  #at(dir: string): Added {
    const found = this.#list.find(({ kept }) => kept.dir === path.resolve(dir))
    if (found === undefined)
      throw new ShoalError('NOT_FOUND', `${dir} is not a folder that was added while the daemon ran`)
    return found
  }
}

/**
 * The folders that were added, for whoever looks at a storage without running it: changes nothing. `config` as its file says
 * it now. STORAGE_UNUSABLE.
 */
export async function readAdded(config: Config<Secret>): Promise<readonly Added[]> {
  const list: Added[] = []
  for (const kept of keptFolders(config.storagePath)) {
    const others = list.flatMap(({ settings }) => settings ?? [])
    const added = await load(config, kept, folderFilePath(config.storagePath), others)
    if (added !== undefined) list.push(added)
  }
  return list
}

/** Undefined: the configuration has it now. */
async function load(
  config: Config<Secret>,
  kept: KeptFolder,
  fileName: string,
  before: readonly ShareConfig<Secret>[],
): Promise<Added | undefined> {
  try {
    const settings = await addedShare(config, kept, fileName)
    const isSame = config.shares.some(
      ({ dir, secret }) =>
        dir === settings.dir &&
        secret.publicKey.equals(settings.secret.publicKey) &&
        secret.grade === settings.secret.grade,
    )
    if (isSame) return undefined
    await mustBeApart(config, settings, [...config.shares, ...before])
    return { kept, settings }
  } catch (thrown) {
    const { code, message } = toShoalError(thrown)
    if (code === 'INTERNAL') throw thrown
    return { kept, fault: message }
  }
}
