// Seeded histories of a directory, and what it was like at moments of them.
import fs from 'node:fs'
import path from 'node:path'
import { OWN_DIR } from '../../src/core/path.js'
import type { PastWorld } from './past-world.js'
import { snapshot, type Tree } from './trees.js'

export interface Moment {
  readonly atMs: number
  readonly tree: Tree
}

/** Numbers from 0 to 1 by a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Lives through `steps` rounds of changes, each published by one of the writers; what stood after each. */
export async function live(world: PastWorld, seed: number, steps: number): Promise<Moment[]> {
  const random = randomOf(seed)
  const moments: Moment[] = []
  for (let step = 0; step < steps; step++) {
    world.nowMs += 1 + Math.floor(random() * 3_600_000)
    const changes = 1 + Math.floor(random() * 6)
    for (let i = 0; i < changes; i++) change(world.dir, random)
    await world.publish(Math.floor(random() * world.writers.length))
    moments.push({ atMs: world.nowMs, tree: snapshot(world.dir) })
  }
  return moments
}

/** One change of what is in a directory, `.shoal` left alone. */
export function change(root: string, random: () => number): void {
  const pick = <T>(list: readonly T[]): T | undefined => list[Math.floor(random() * list.length)]
  const all = everything(root)
  const directories = ['', ...all.filter((at) => fs.lstatSync(path.join(root, at)).isDirectory())]
  const others = all.filter((at) => !fs.lstatSync(path.join(root, at)).isDirectory())
  const free = (): string => path.join(root, pick(directories)!, `n${Math.floor(random() * 40)}`)
  const roll = random()
  if (roll < 0.35) return write(free(), random)
  if (roll < 0.5) {
    const at = pick(others)
    if (at !== undefined) write(path.join(root, at), random)
    return
  }
  if (roll < 0.62) {
    const at = free()
    if (!fs.existsSync(at) && !isLink(at)) fs.mkdirSync(at, { mode: pick([0o755, 0o700, 0o750]) })
    return
  }
  if (roll < 0.7) {
    const at = free()
    if (!fs.existsSync(at) && !isLink(at)) fs.symlinkSync(pick(['/nowhere', '../x', 'n1', '.'])!, at)
    return
  }
  if (roll < 0.8) {
    const at = pick(all)
    if (at !== undefined && !isLink(path.join(root, at)))
      fs.chmodSync(path.join(root, at), pick([0o755, 0o700, 0o711, 0o775])!)
    return
  }
  if (roll < 0.9) {
    const at = pick(all)
    const to = free()
    if (at === undefined || fs.existsSync(to) || isLink(to)) return
    const from = path.join(root, at)
    if (!to.startsWith(`${from}/`) && to !== from) fs.renameSync(from, to)
    return
  }
  const at = pick(all)
  if (at !== undefined) fs.rmSync(path.join(root, at), { recursive: true })
}

function write(at: string, random: () => number): void {
  const found = fs.lstatSync(at, { throwIfNoEntry: false })
  if (found?.isDirectory() === true) return
  // A link is replaced, not written through.
  if (found?.isSymbolicLink() === true) fs.unlinkSync(at)
  const size = random() < 0.1 ? 0 : Math.floor(random() ** 4 * 300_000)
  // Few different contents, so that pieces are shared and come back.
  fs.writeFileSync(at, Buffer.alloc(size, Math.floor(random() * 5)))
  const seconds = 1_600_000_000 + Math.floor(random() * 1e8)
  if (random() < 0.5) fs.utimesSync(at, seconds, seconds + Math.floor(random() * 1e6) / 1e6)
}

function isLink(at: string): boolean {
  return fs.lstatSync(at, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function everything(root: string): string[] {
  const found: string[] = []
  const walk = (prefix: string): void => {
    for (const entry of fs.readdirSync(path.join(root, prefix), { withFileTypes: true })) {
      if (prefix === '' && entry.name === OWN_DIR) continue
      const at = prefix === '' ? entry.name : `${prefix}/${entry.name}`
      found.push(at)
      if (entry.isDirectory()) walk(at)
    }
  }
  walk('')
  return found.sort()
}
