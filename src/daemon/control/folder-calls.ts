// The calls about the shared folders as such.
import type { FolderCalls } from '../../control/calls-folders.js'
import type { AddedShareReport, FolderReport, FolderSettings } from '../../control/schema-folders.js'
import type { FolderChanges } from '../added-folders.js'
import type { FolderView } from '../folder-admin.js'
import { anyShareAt, type DaemonView } from './view.js'

export function folderCalls(view: DaemonView): FolderCalls {
  return {
    async folders(): Promise<FolderReport[]> {
      return (await view.folders.list()).map(folderReport)
    },

    async addShare({ dir, secret, ...settings }): Promise<AddedShareReport> {
      return view.folders.add({ dir, secret, ...keysOf(settings) })
    },

    async changeShare({ share, ...settings }): Promise<void> {
      const { dir } = await anyShareAt(view, share)
      await view.folders.change(dir, keysOf(settings))
    },

    async removeShare({ share, dir }): Promise<void> {
      await view.folders.remove(dir ?? (await anyShareAt(view, share!)).dir)
    },
  }
}

function folderReport(folder: FolderView): FolderReport {
  if ('fault' in folder)
    return { share: null, grade: null, added: true, settings: null, dir: folder.dir, fault: folder.fault }
  const { at, isAdded, settings: all } = folder
  const { knownHosts, searchLan, useDht, useRelay, useSyncTrash, overwriteChanges, dir, secret } = all
  const settings = { knownHosts, searchLan, useDht, useRelay, useSyncTrash, overwriteChanges }
  return { share: at, dir, grade: secret.grade, added: isAdded, fault: null, settings }
}

/** Under the names that a configuration has for them; what is not said is left out. */
function keysOf({
  knownHosts,
  searchLan,
  useDht,
  useRelay,
  useSyncTrash,
  overwriteChanges,
}: Partial<{ [K in keyof FolderSettings]: FolderSettings[K] | undefined }>): FolderChanges {
  return {
    ...(knownHosts !== undefined && { known_hosts: knownHosts }),
    ...(searchLan !== undefined && { search_lan: searchLan }),
    ...(useDht !== undefined && { use_dht: useDht }),
    ...(useRelay !== undefined && { use_relay_server: useRelay }),
    ...(useSyncTrash !== undefined && { use_sync_trash: useSyncTrash }),
    ...(overwriteChanges !== undefined && { overwrite_changes: overwriteChanges }),
  }
}
