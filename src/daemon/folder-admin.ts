// Folders that come and go while the daemon runs. One change at a time, none while the daemon starts over as another
// device (F4) or stops. What is kept on disk changes before what runs, so that a crash in between leaves what was asked
// for, and the next start does it.
import path from 'node:path'
import type { Config, ShareConfig } from '../config/config.js'
import { ShoalError } from '../core/error.js'
import { keysOf, parseSecret, type Secret } from '../core/secret.js'
import type { InviteHost } from '../invite/host.js'
import type { Log } from '../ports/log.js'
import type { AddedFolders, FolderChanges, NewFolder } from './added-folders.js'
import { mustBeFree, realFolder } from './free-folder.js'
import { inviteShare } from './invites.js'
import type { Shares } from './shares.js'

/** What runs of the folders. */
export interface RunningFolders {
  readonly shares: Shares
  readonly invites: InviteHost
}

export interface FolderAdminOptions {
  /** The settings in force. */
  readonly config: () => Config<Secret>
  readonly folders: () => AddedFolders
  /** Undefined while the daemon starts over or stops. */
  readonly running: () => RunningFolders | undefined
  readonly isStopping: () => boolean
  /** Resolves when the shares are there. */
  readonly started: () => Promise<void>
  readonly log: Log
}

/** A folder, served or not. */
export type FolderView =
  | { readonly at: number; readonly settings: ShareConfig<Secret>; readonly isAdded: boolean }
  | { readonly dir: string; readonly fault: string }

export class FolderAdmin {
  readonly #o: FolderAdminOptions
  #last: Promise<unknown> = Promise.resolve()
  /** The one whose turn it is, at work. */
  #busy: Promise<unknown> = Promise.resolve()

  constructor(options: FolderAdminOptions) {
    this.#o = options
  }

  /** Resolves when what is under way has ended, however. */
  async settled(): Promise<void> {
    await this.#busy
  }

  /** All folders: those served, in their order, and then those that were added and cannot be. */
  async list(): Promise<readonly FolderView[]> {
    const { shares } = await this.#running()
    const { folders, config } = this.#o
    const configured = config().shares.length
    const served = shares.settings.map((settings, at) => ({ at, settings, isAdded: at >= configured }))
    const faults = folders().all.flatMap(({ kept, fault }) =>
      fault === undefined ? [] : [{ dir: kept.dir, fault }],
    )
    return [...served, ...faults]
  }

  /**
   * Serves one more folder; resolves with its place, and where it is in truth. It is made if it is not there, unless it
   * `isReal`: is there, with links followed, and must be that very place still. Throws what AddedFolders.add throws, and
   * SHARE_UNUSABLE.
   */
  add(folder: NewFolder, isReal = false): Promise<{ readonly share: number; readonly dir: string }> {
    return this.#inTurn(async ({ shares, invites }) => {
      if (!path.isAbsolute(folder.dir)) throw new ShoalError('USAGE', 'the folder is no absolute path')
      const real = realFolder(folder.dir, !isReal)
      if (isReal && real.real !== folder.dir)
        throw new ShoalError('SHARE_UNUSABLE', `${folder.dir} is a link now, and leads elsewhere`)
      if (shares.all.some(({ dir }) => dir === real.real))
        throw new ShoalError('EXISTS', `${real.real} is shared already`)
      await mustBeFree(real, keysOf(parseSecret(folder.secret)).shareId)
      const { folders, config, log } = this.#o
      // Before it is kept: a crash in between must not leave a folder to the next start beside an index of another one.
      const settings = await folders().add(config(), { ...folder, dir: real.real }, (taken) =>
        shares.forget(taken),
      )
      try {
        await shares.add(settings)
      } catch (thrown) {
        folders().remove(settings.dir)
        throw thrown
      }
      invites.addShare(inviteShare(settings))
      log.info({ dir: settings.dir }, 'folder added')
      return { share: shares.all.length - 1, dir: settings.dir }
    })
  }

  /** Changes the settings of a folder that was added. NOT_FOUND, CONFIG_INVALID; USAGE for one of the configuration. */
  change(dir: string, changes: FolderChanges): Promise<void> {
    return this.#inTurn(async ({ shares, invites }) => {
      const { folders, config, log } = this.#o
      this.#mustBeAdded(dir)
      const settings = await folders().change(config(), dir, changes)
      const at = shares.all.findIndex((share) => share.dir === settings.dir)
      if (at < 0) return
      try {
        await shares.change(at, settings)
      } catch (thrown) {
        // It is served no longer, until the next start.
        invites.removeShare(at)
        throw thrown
      }
      invites.changeShare(at, inviteShare(settings))
      log.info({ dir: settings.dir }, 'settings of an added folder changed')
    })
  }

  /** Serves a folder that was added no longer, and leaves it as it is. NOT_FOUND, USAGE for one of the configuration. */
  remove(dir: string): Promise<void> {
    return this.#inTurn(async ({ shares, invites }) => {
      const { folders, log } = this.#o
      this.#mustBeAdded(dir)
      const at = shares.all.findIndex((share) => share.dir === dir)
      folders().remove(dir)
      if (at < 0) return
      invites.removeShare(at)
      await shares.remove(at)
      log.info({ dir }, 'folder removed')
    })
  }

  /** The user's file is the user's to change. */
  #mustBeAdded(dir: string): void {
    const { shares, fileName } = this.#o.config()
    if (!shares.some((share) => share.dir === dir)) return
    throw new ShoalError('USAGE', `${dir} stands in ${fileName}: change it there, and start the daemon anew`)
  }

  async #running(): Promise<RunningFolders> {
    for (;;) {
      await this.#o.started()
      const running = this.#o.running()
      if (running !== undefined) return running
      if (this.#o.isStopping()) throw new ShoalError('DAEMON_UNREACHABLE', 'the daemon is stopping')
    }
  }

  #inTurn<T>(body: (running: RunningFolders) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      const running = await this.#running()
      const work = body(running)
      this.#busy = work.catch(() => undefined)
      return work
    })
    // Whoever asked hears of it.
    this.#last = mine.catch(() => undefined)
    return mine
  }
}
