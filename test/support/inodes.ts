// Which names of a tree are one file.
import fs from 'node:fs'
import path from 'node:path'
import { OWN_DIR } from '../../src/core/path.js'

/** The names of each file below a directory that has several there, sorted; our own folder is left out. */
export function inodeGroups(dir: string): string[][] {
  const names = new Map<number, string[]>()
  for (const entry of fs.readdirSync(dir, { recursive: true, withFileTypes: true })) {
    const name = path.relative(dir, path.join(entry.parentPath, entry.name))
    if (!entry.isFile() || name.startsWith(`${OWN_DIR}/`)) continue
    const { ino } = fs.lstatSync(path.join(dir, name))
    names.set(ino, [...(names.get(ino) ?? []), name])
  }
  return [...names.values()]
    .filter((group) => group.length > 1)
    .map((group) => group.sort())
    .sort(([a], [b]) => (a! < b! ? -1 : 1))
}
