// The calls about the shared folders as such, and those that come and go while the daemon runs.
import { nothing, type Routes } from './route.js'
import {
  type AddedShareReport,
  type AddShareRequest,
  addedShareReport,
  addShareRequest,
  type ChangeShareRequest,
  changeShareRequest,
  type FolderReport,
  folderReports,
  type RemoveShareRequest,
  removeShareRequest,
} from './schema-folders.js'

export interface FolderCalls {
  /** All folders with their settings: those served in their order, then those that were added and cannot be served. */
  folders(): Promise<readonly FolderReport[]>
  /**
   * Serves one more folder, now and at later starts; it comes last. SECRET_INVALID, SHARE_UNUSABLE, EXISTS (the share or
   * the folder), CONFIG_INVALID, USAGE.
   */
  addShare(request: AddShareRequest): Promise<AddedShareReport>
  /** Changes what is said of a folder that was added. NOT_FOUND, CONFIG_INVALID; USAGE for one of the configuration. */
  changeShare(request: ChangeShareRequest): Promise<void>
  /** Serves a folder that was added no longer, and leaves its files. NOT_FOUND; USAGE for one of the configuration. */
  removeShare(request: RemoveShareRequest): Promise<void>
}

const TAKES_SETTINGS = '"knownHosts", "searchLan", "useDht", "useRelay", "useSyncTrash", "overwriteChanges"'

export const FOLDER_ROUTES: Routes<FolderCalls> = {
  folders: {
    ...{ method: 'GET', path: '/v1/shares', tag: 'shares', input: undefined, answer: folderReports },
    summary: 'the folders and their settings',
  },
  addShare: {
    ...{
      method: 'POST',
      path: '/v1/shares',
      tag: 'shares',
      input: addShareRequest,
      answer: addedShareReport,
    },
    summary: 'serve one more folder, now and at later starts',
    takes: `{"dir": absolute path, "secret": a write or read secret}, and as wished ${TAKES_SETTINGS}`,
    // Whoever may name any folder of this machine reads it.
    access: 'socket',
  },
  changeShare: {
    ...{ method: 'PUT', path: '/v1/shares', tag: 'shares', input: changeShareRequest, answer: nothing },
    summary: 'change the settings of a folder that was added',
    takes: `{"share": place, from 0}, and as wished ${TAKES_SETTINGS}`,
  },
  removeShare: {
    ...{ method: 'DELETE', path: '/v1/shares', tag: 'shares', input: removeShareRequest, answer: nothing },
    summary: 'serve a folder that was added no longer, and leave its files',
    takes: '{"share": place, from 0} or {"dir": absolute path}',
  },
}
