// Directory trees as values, to compare what two nodes hold: type, content, mode, modification time to the microsecond
// and link target of everything in a directory but `.shoal`. Names are bytes, so one that is not UTF-8 is seen too.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fs from 'node:fs'

/** Path to one line that says all that is to be equal. Names that are not UTF-8 appear as latin1 after a "!". */
export type Tree = ReadonlyMap<string, string>

export interface TreeOptions {
  /** Leave out modification times. */
  readonly withoutTimes?: boolean
  /** Leave out the set-user-id and set-group-id bits of files, which daemons that run as root withhold. */
  readonly withoutSetid?: boolean
  /** Paths to leave out, with what lies below them. */
  readonly except?: (path: string) => boolean
}

/** Everything in a directory, in the order of the names' bytes. */
export function snapshot(directory: string, options: TreeOptions = {}): Tree {
  const tree = new Map<string, string>()
  walk(Buffer.from(directory), '', tree, options)
  return tree
}

/** Fails with the paths that differ unless the directories hold the same. */
export function assertEqualTrees(directories: readonly string[], options: TreeOptions = {}): void {
  const [first, ...others] = directories.map((directory) => ({
    directory,
    tree: snapshot(directory, options),
  }))
  for (const other of others) {
    const differences = differencesOf(first!.tree, other.tree)
    assert.equal(
      differences.length,
      0,
      `${first!.directory} and ${other.directory} differ in ${differences.length} paths:\n${differences.slice(0, 20).join('\n')}`,
    )
  }
}

/** One line for each path that two trees disagree on. */
export function differencesOf(a: Tree, b: Tree): string[] {
  const paths = [...new Set([...a.keys(), ...b.keys()])].sort()
  return paths.flatMap((path) => {
    const [one, two] = [a.get(path) ?? 'absent', b.get(path) ?? 'absent']
    return one === two ? [] : [`${JSON.stringify(path)}: ${one} | ${two}`]
  })
}

function walk(directory: Buffer, prefix: string, tree: Map<string, string>, options: TreeOptions): void {
  const names = fs.readdirSync(directory, { encoding: 'buffer' }).sort(Buffer.compare)
  for (const name of names) {
    const text = name.toString('utf8')
    if (prefix === '' && text === '.shoal') continue
    const path = `${prefix}${Buffer.from(text).equals(name) ? text : `!${name.toString('latin1')}`}`
    if (options.except?.(path) === true) continue
    const full = Buffer.concat([directory, Buffer.from('/'), name])
    const stat = fs.lstatSync(full)
    const time = options.withoutTimes === true ? '' : ` ${Math.round(stat.mtimeMs * 1000)}`
    const mode = (stat.mode & 0o7777).toString(8)
    if (stat.isDirectory()) {
      tree.set(path, `directory ${mode}${time}`)
      walk(full, `${path}/`, tree, options)
    } else if (stat.isSymbolicLink()) {
      tree.set(path, `symlink ${JSON.stringify(fs.readlinkSync(full))}${time}`)
    } else if (stat.isFile()) {
      const kept = (stat.mode & (options.withoutSetid === true ? 0o1777 : 0o7777)).toString(8)
      tree.set(path, `file ${kept} ${stat.size} ${contentOf(full)}${time}`)
    } else tree.set(path, `other ${mode}`)
  }
}

const BUFFER_BYTES = 1 << 20

function contentOf(file: Buffer): string {
  const hash = createHash('sha256')
  const buffer = Buffer.allocUnsafe(BUFFER_BYTES)
  const fd = fs.openSync(file, 'r')
  try {
    for (let length = fs.readSync(fd, buffer); length > 0; length = fs.readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, length))
    }
  } finally {
    fs.closeSync(fd)
  }
  return hash.digest('hex').slice(0, 16)
}
