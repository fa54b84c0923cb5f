// What a daemon keeps of the folders that were added while it runs, under its storage path:
//
//   folders.json            { "format": 1, "shared_folders": [entries as in a configuration], "former": [share ids] }
//   folders/HEX.secret      the secret of one, mode 0600; the entry names it
//
// Promises: both are durable before a folder is used; a secret stands in no other file; one that no entry names is
// removed at the next open.
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { z } from 'zod'
import type { AddedFolder } from '../config/added-folder.js'
import type { SecretFile } from '../config/config.js'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { readIfThere, writeDurably } from './durable-file.js'

/** An entry as it is kept: its secret is in a file. */
export type KeptFolder = AddedFolder & { readonly secret: SecretFile }

const SECRETS = 'folders'
const SECRET_NAME = /^[0-9a-f]{16}\.secret$/

const schema = z.object({
  format: z.literal(1),
  shared_folders: z.array(
    z.object({
      secret: z.object({ file: z.string() }),
      dir: z.string(),
      known_hosts: z.array(z.string()).optional(),
      search_lan: z.boolean().optional(),
      use_dht: z.boolean().optional(),
      use_sync_trash: z.boolean().optional(),
      overwrite_changes: z.boolean().optional(),
      vault: z.string().optional(),
    }),
  ),
  former: z.array(z.string().regex(/^[0-9a-f]{64}$/)),
})
type Stored = z.infer<typeof schema>

export class FolderFile {
  /** Absolute; what the entries are relative to. */
  readonly path: string
  readonly #storagePath: string
  #stored: Stored

  /**
   * Reads what there is, and removes secrets that no entry names. STORAGE_UNUSABLE if it cannot be read: without it folders
   * would be missing unseen.
   */
  constructor(storagePath: string) {
    this.#storagePath = storagePath
    this.path = folderFilePath(storagePath)
    this.#stored = read(this.path)
    this.#removeStrays()
  }

  get folders(): readonly KeptFolder[] {
    return this.#stored.shared_folders
  }

  /** Shares that were here once and have been removed: feeds of theirs are still in the storage (F4). */
  get former(): readonly ShareId[] {
    return this.#stored.former as unknown as ShareId[]
  }

  /** Writes a secret into a file of its own, and what an entry calls it. */
  keepSecret(text: string): SecretFile {
    const folder = path.join(this.#storagePath, SECRETS)
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    chmodSync(folder, 0o700)
    const file = path.join(SECRETS, `${randomBytes(8).toString('hex')}.secret`)
    writeDurably(path.join(this.#storagePath, file), `${text}\n`)
    return { file }
  }

  add(folder: KeptFolder): void {
    this.#save({ ...this.#stored, shared_folders: [...this.folders, folder] })
  }

  replace(before: KeptFolder, folder: KeptFolder): void {
    this.#save({
      ...this.#stored,
      shared_folders: this.folders.map((each) => (each === before ? folder : each)),
    })
  }

  /** Forgets a folder and its secret; of a share that was served, what it was. */
  remove(folder: KeptFolder, share: ShareId | undefined): void {
    this.#save({
      ...this.#stored,
      shared_folders: this.folders.filter((each) => each !== folder),
      former: [...new Set([...this.former, ...(share === undefined ? [] : [share])])],
    })
    this.#removeStrays()
  }

  #save(stored: Omit<Stored, 'shared_folders'> & { readonly shared_folders: readonly KeptFolder[] }): void {
    try {
      writeDurably(this.path, `${JSON.stringify(stored, undefined, 2)}\n`)
    } catch (cause) {
      throw new ShoalError('STORAGE_UNUSABLE', `cannot write ${this.path}: ${(cause as Error).message}`, {
        cause,
      })
    }
    this.#stored = stored as Stored
  }

  /** Left by a crash, or no longer needed. */
  #removeStrays(): void {
    const folder = path.join(this.#storagePath, SECRETS)
    const named = new Set(this.folders.map(({ secret }) => path.basename(secret.file)))
    for (const name of namesIn(folder))
      if (SECRET_NAME.test(name) && !named.has(name)) rmSync(path.join(folder, name), { force: true })
  }
}

/** Where the entries stand, and what their secret files are relative to. */
export function folderFilePath(storagePath: string): string {
  return path.join(storagePath, 'folders.json')
}

/** The entries, for whoever only looks. STORAGE_UNUSABLE. */
export function keptFolders(storagePath: string): readonly KeptFolder[] {
  return read(folderFilePath(storagePath)).shared_folders
}

function read(file: string): Stored {
  try {
    const text = readIfThere(file)
    return text === undefined ? { format: 1, shared_folders: [], former: [] } : schema.parse(JSON.parse(text))
  } catch (cause) {
    throw new ShoalError(
      'STORAGE_UNUSABLE',
      `${file} cannot be read or is damaged; move it away, and add its folders again`,
      { cause: new Error((cause as Error).name) },
    )
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw thrown
  }
}
