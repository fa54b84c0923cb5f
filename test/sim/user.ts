// What users do to a simulated disk, step by step where programs do it step by step: a tree is removed file by file, two
// files are swapped in three renames. Names are few, so that everything meets everything.
import type { RelPath } from '../../src/core/path.js'
import { type Content, contentOf } from './contents.js'
import type { SimDisk } from './disk.js'
import type { SimNode, Work } from './node.js'

const NAMES = ['a', 'b.txt', 'c', 'd', 'e.x.y']
const MODES = [0o644, 0o600, 0o755, 0o4711]
const MAX_DEPTH = 3

const OPERATIONS = {
  create: 6,
  edit: 6,
  save: 3,
  append: 2,
  rename: 4,
  renameOver: 1,
  remove: 3,
  removeTree: 2,
  makeDirectory: 3,
  chmod: 1,
  touch: 1,
  changeType: 1.5,
  copy: 2,
  swap: 1,
} as const

/** Where nobody contradicts, it is directories that come and go that others might misread. */
const SOLO_OPERATIONS = { ...OPERATIONS, makeDirectory: 9, removeTree: 6, changeType: 6 }

/** As mail goes: little is made, and that gets other names all the time. */
const MOVING_OPERATIONS = { ...OPERATIONS, rename: 30, renameOver: 2, copy: 1, edit: 3, save: 2 }

/** Makes contents that no other history position has, and keeps operations apart. */
export class User {
  readonly #node: SimNode
  readonly #fresh: () => number

  constructor(node: SimNode, fresh: () => number) {
    this.#node = node
    this.#fresh = fresh
  }

  /** One thing a user does, in one or several steps. */
  *does(): Work {
    const { random } = this.#node.world
    const { isSolo, isMoving } = this.#node.world
    const name = random.weighted(isMoving ? MOVING_OPERATIONS : isSolo ? SOLO_OPERATIONS : OPERATIONS)
    const { disk } = this.#node
    const file = random.pick([...disk.tree].flatMap(([path, { type }]) => (type === 'file' ? [path] : [])))
    const any = random.pick([...disk.tree.keys()])
    const free = this.#freePath()
    if (file !== undefined && (name === 'edit' || name === 'append')) {
      this.#log(name, file)
      const { chunks } = disk.tree.get(file)!.content!
      disk.userOverwrites(
        file,
        name === 'edit' ? this.#edited(chunks) : contentOf([...chunks.slice(-2), this.#fresh()]),
      )
    } else if (file !== undefined && name === 'save') {
      this.#log(name, file)
      this.#replace(file, this.#edited(disk.tree.get(file)!.content!.chunks))
    } else if (name === 'create' && free !== undefined) {
      this.#log(name, free)
      disk.userCreates(free, this.#newBytes(), random.pick(MODES)!)
    } else if (name === 'makeDirectory' && free !== undefined) {
      this.#log(name, free)
      disk.userCreates(free, { type: 'directory' }, 0o755)
      if (random.chance(0.7)) {
        if (random.chance(0.3)) yield
        if (disk.isDirectory(free) && !disk.isDirectory(`${free}/a` as RelPath))
          disk.userCreates(`${free}/a` as RelPath, this.#newBytes(), 0o644)
      }
    } else if (file !== undefined && free !== undefined && name === 'copy') {
      this.#log(name, file, free)
      disk.userCreates(free, { type: 'file', content: disk.tree.get(file)!.content! }, 0o644)
    } else if (any !== undefined) yield* this.#changes(name, any, free)
  }

  *#changes(name: keyof typeof OPERATIONS, path: RelPath, free: RelPath | undefined): Work {
    const { disk, world } = this.#node
    const { random } = world
    const { type } = disk.tree.get(path)!
    this.#log(name, path, free)
    if (name === 'rename' && free !== undefined && !free.startsWith(`${path}/`)) disk.userRenames(path, free)
    else if (name === 'chmod' && type !== 'symlink') disk.userSets(path, { mode: random.pick(MODES)! })
    else if (name === 'touch') disk.userSets(path, { mtimeUs: this.#time() })
    else if (name === 'remove' && type !== 'directory') disk.userRemoves(path)
    else if (name === 'removeTree') yield* this.#removeTree(path)
    else if (name === 'renameOver' || name === 'swap') {
      const files = [...disk.tree].flatMap(([at, inode]) => (inode.type === 'file' ? [at] : []))
      const [one, two] = random.shuffled(files)
      if (one === undefined || two === undefined) return
      if (name === 'renameOver') disk.userRenames(one, two)
      else yield* this.#swap(one, two)
    } else if (name === 'changeType') {
      yield* this.#removeTree(path)
      if (random.chance(0.3)) yield
      if (disk.tree.has(path) || !disk.isDirectory(parent(path))) return
      if (type === 'directory' || random.chance(0.5)) disk.userCreates(path, this.#newBytes(), 0o644)
      else disk.userCreates(path, { type: 'directory' }, 0o755)
    }
  }

  *#removeTree(path: RelPath): Work {
    const { disk, world } = this.#node
    for (const below of [...disk.below(path).reverse(), path]) {
      if (world.random.chance(0.1)) yield
      if (!disk.tree.has(below)) continue
      // Something new lies in it: rm gives up on this directory.
      if (disk.children(below).length > 0) continue
      disk.userRemoves(below)
    }
  }

  *#swap(one: RelPath, two: RelPath): Work {
    const { disk, world } = this.#node
    const aside = `${one}~` as RelPath
    if (disk.tree.has(aside)) return
    disk.userRenames(one, aside)
    if (world.random.chance(0.3)) yield
    if (disk.tree.get(two)?.type === 'file' && disk.isDirectory(parent(one)) && !disk.tree.has(one))
      disk.userRenames(two, one)
    if (world.random.chance(0.3)) yield
    if (disk.tree.has(aside) && disk.isDirectory(parent(two)) && !disk.tree.has(two))
      disk.userRenames(aside, two)
  }

  /** As an editor saves: a new file, renamed over the old one. */
  #replace(path: RelPath, content: Content): void {
    const { disk, world } = this.#node
    const { mode } = disk.tree.get(path)!.stat
    disk.userRemoves(path)
    disk.userCreates(path, { type: 'file', content }, world.random.chance(0.9) ? mode : 0o640)
  }

  #edited(chunks: readonly number[]): Content {
    const { random } = this.#node.world
    const kept = [...chunks]
    kept[random.below(kept.length)] = this.#fresh()
    return contentOf(kept)
  }

  #newBytes(): Parameters<SimDisk['userCreates']>[1] & { type: 'file' | 'symlink' } {
    const { random } = this.#node.world
    if (random.chance(0.12)) return { type: 'symlink', target: `to ${this.#fresh()}` }
    const size = random.below(20) === 0 ? 0 : 1 + random.below(3)
    return { type: 'file', content: contentOf(Array.from({ length: size }, () => this.#fresh())) }
  }

  /** Often a whole second, so that times are equal; sometimes far off. */
  #time(): number {
    const now = this.#node.nowUs()
    const { random } = this.#node.world
    return random.chance(0.5) ? Math.floor(now / 1e6) * 1e6 : now - random.below(1e9)
  }

  #freePath(): RelPath | undefined {
    const { disk, world } = this.#node
    const directories: (RelPath | '')[] = ['']
    for (const [path, { type }] of disk.tree) {
      if (type === 'directory' && path.split('/').length < MAX_DEPTH) directories.push(path)
    }
    const directory = world.random.pick(directories)!
    const path = (directory === '' ? '' : `${directory}/`) + world.random.pick(NAMES)!
    return disk.tree.has(path as RelPath) ? undefined : (path as RelPath)
  }

  #log(name: string, ...paths: (string | undefined)[]): void {
    this.#node.world.log(
      this.#node,
      () => `USER ${name} ${paths.filter((path) => path !== undefined).join(' ')}`,
    )
  }
}

function parent(path: RelPath): RelPath | '' {
  const slash = path.lastIndexOf('/')
  return slash < 0 ? '' : (path.slice(0, slash) as RelPath)
}
