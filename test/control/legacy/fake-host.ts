// A host of BitTorrent Sync's API over the fake backend: two folders, the second of which was added.
import type { Admission, LegacyHost } from '../../../src/control/legacy/host.js'
import type { EntriesReport, EntriesRequest, EntryReport } from '../../../src/control/schema-entries.js'
import type { AddedShareReport, AddShareRequest, FolderReport } from '../../../src/control/schema-folders.js'
import { folderHandleOf } from '../../../src/core/folder-handle.js'
import { formatSecret, keysOf, type Secret, writeSecretOf } from '../../../src/core/secret.js'
import { FakeBackend, member, share, status } from '../fake-backend.js'

export const DIRS = ['/data/photos', '/data/music'] as const
const secrets = [1, 2].map((byte) => writeSecretOf(Buffer.alloc(32, byte)))
export const SECRETS: readonly string[] = secrets.map(formatSecret)
export const HANDLES: readonly string[] = secrets.map((secret) => folderHandleOf(keysOf(secret).shareId))
export const FRESH: Secret = writeSecretOf(Buffer.alloc(32, 3))

export function folder(at: number, changes: Partial<FolderReport> = {}): FolderReport {
  return {
    share: at,
    dir: DIRS[at]!,
    grade: 'write',
    added: at === 1,
    fault: null,
    settings: {
      knownHosts: ['10.0.0.1:4444'],
      searchLan: true,
      useDht: false,
      useRelay: true,
      useSyncTrash: true,
      overwriteChanges: false,
    },
    ...changes,
  }
}

export function entry(path: string, changes: Partial<EntryReport> = {}): EntryReport {
  return {
    ...{ path, type: 'file', size: 918, mtime: '2026-11-20T18:02:03.000Z', mode: 0o644, target: null },
    ...{ device: null, name: null, when: null, owner: null, group: null, state: 'synced' },
    ...changes,
  }
}

export class FakeHost extends FakeBackend implements LegacyHost {
  readonly backend: this = this
  admission: Admission = { type: 'ok', dir: '/real/new' }
  pages: readonly (readonly EntryReport[])[] = [[]]
  /** What addShare throws. */
  refusal: unknown
  /** Secrets that were given to addShare; not among `calls`, as nothing but the daemon sees them. */
  readonly given: string[] = []

  constructor() {
    super()
    this.folderList = [folder(0), folder(1)]
    const reader = member('reader', { lastSeen: '2026-11-20T18:02:03.000Z' })
    this.statuses = [
      status(
        share({ dir: DIRS[0], members: [reader] }),
        share({ dir: DIRS[1], grade: 'read', state: 'halted', added: true }),
      ),
    ]
  }

  async handles(): Promise<readonly { readonly handle: string; readonly dir: string }[]> {
    return DIRS.map((dir, at) => ({ dir, handle: HANDLES[at]! }))
  }

  preferences(): ReturnType<LegacyHost['preferences']> {
    return {
      ...{ deviceName: 'laptop', port: 11589, diskLowPriority: true, rescanSeconds: 600 },
      ...{ versioningMegabytes: undefined, maxTimeDiffSeconds: 600, trashDays: 30, usesUpnp: false },
    }
  }

  async admits(dir: string): Promise<Admission> {
    this.calls.push(`admits ${dir}`)
    return this.admission
  }

  makeSecret(): ReturnType<LegacyHost['makeSecret']> {
    return FRESH
  }

  override async addShare(request: AddShareRequest): Promise<AddedShareReport> {
    this.given.push(request.secret)
    if (this.refusal !== undefined) throw this.refusal
    return super.addShare(request)
  }

  override async entries({ path = '', after }: EntriesRequest): Promise<EntriesReport> {
    this.calls.push(`entries ${path}`)
    const at = after === undefined ? 0 : Number(after)
    const next = at + 1 < this.pages.length ? String(at + 1) : null
    return { dir: DIRS[0], path, entries: this.pages[at]!, next }
  }
}
