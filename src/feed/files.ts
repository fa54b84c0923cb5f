// The few file operations the feed store needs, each durable when its promise resolves: data first, then the name.
// A promise that rejects means "not known to be on the disk"; callers must not go on as if it were.
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** Makes the bytes of one file durable. Rejects with ENOENT if it is not there. */
export async function syncFileData(path: string): Promise<void> {
  const handle = await open(path, 'r+')
  try {
    await handle.datasync()
  } finally {
    await handle.close()
  }
}

/** Makes the names in a directory durable. Windows has no such call and needs none. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a small file so that after a crash it is there whole or not at all. */
export async function writeDurably(path: string, text: string): Promise<void> {
  const part = `${path}.part`
  const handle = await open(part, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(part, path)
  await syncDirectory(dirname(path))
}

/** Removes a file for good; one that is not there is fine. */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { force: true })
  await syncDirectory(dirname(path))
}

/** Creates a private directory and its parents and makes their names durable. */
export async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
}

export async function exists(path: string): Promise<boolean> {
  return (await absentIsUndefined(stat(path))) !== undefined
}

/** The text of a small file, or undefined if it is not there. */
export function readIfThere(path: string): Promise<string | undefined> {
  return absentIsUndefined(readFile(path, 'utf8'))
}

/** RocksDB's write-ahead logs in a database directory, oldest first; none if there is no such directory. */
export async function listLogs(database: string): Promise<string[]> {
  const names = (await absentIsUndefined(readdir(database))) ?? []
  return names.filter((name) => /^\d+\.log$/.test(name)).sort(byNumber)
}

/** Makes everything an earlier process left in the write-ahead logs durable, before anyone reads it back as true. */
export async function syncLeftoverLogs(database: string): Promise<void> {
  const names = await listLogs(database)
  for (const name of names) await syncFileData(join(database, name))
  if (names.length > 0) await syncDirectory(database)
}

/** The number in a log's name, by which RocksDB orders its logs. */
export function logNumber(name: string): number {
  return Number.parseInt(name, 10)
}

function byNumber(left: string, right: string): number {
  return logNumber(left) - logNumber(right)
}

async function absentIsUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (thrown) {
    if (isAbsent(thrown)) return undefined
    throw thrown
  }
}

/** Whether an error says that a file or directory is not there. */
export function isAbsent(thrown: unknown): boolean {
  return thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
}
