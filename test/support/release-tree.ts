// Trees for tests of releases whose every file says which version it belongs to: from a seed and a version alone it follows
// what each path holds, so that a reader in another process can tell a mixture of two versions at once.
import fs from 'node:fs'
import path from 'node:path'

export interface TreePlan {
  readonly seed: number
  readonly files: number
  /** Files that are new in each version, one in so many; and files that are missing in each. */
  readonly changedOneIn: number
}

/** Where version `version` is told. */
export const VERSION_FILE = 'VERSION'

export function pathOf(plan: TreePlan, i: number): string {
  return `d${hash(plan.seed, i) % 97}/e${i % 7}/file-${i}`
}

/** What file `i` holds in a version; undefined: there is none. */
export function contentIn(plan: TreePlan, i: number, version: number): string | undefined {
  if (hash(plan.seed, i, version, 1) % 50 === 0) return undefined
  const since = changedIn(plan, i, version)
  return `${pathOf(plan, i)} since ${since}\n${'x'.repeat(hash(plan.seed, i, since) % 400)}\n`
}

/** The last version up to this one in which a file was changed. */
function changedIn(plan: TreePlan, i: number, version: number): number {
  for (let at = version; at > 0; at--) if (hash(plan.seed, i, at, 2) % plan.changedOneIn === 0) return at
  return 0
}

/** Brings a directory from one version to another; -1: from nothing. Times differ between versions, as they would. */
export function writeVersion(directory: string, plan: TreePlan, version: number, from: number): void {
  for (let i = 0; i < plan.files; i++) {
    const content = contentIn(plan, i, version)
    if (from >= 0 && content === contentIn(plan, i, from)) continue
    const at = path.join(directory, pathOf(plan, i))
    if (content === undefined) fs.rmSync(at, { force: true })
    else {
      fs.mkdirSync(path.dirname(at), { recursive: true })
      fs.writeFileSync(at, content)
    }
  }
  fs.writeFileSync(path.join(directory, VERSION_FILE), `${version}`)
}

/** Why a directory does not hold a version at file `i`, or undefined. */
export function faultAt(directory: string, plan: TreePlan, i: number, version: number): string | undefined {
  const expected = contentIn(plan, i, version)
  const at = path.join(directory, pathOf(plan, i))
  let found: string | undefined
  try {
    found = fs.readFileSync(at, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown
  }
  if (found === expected) return undefined
  const show = (text: string | undefined): string => (text === undefined ? 'nothing' : text.split('\n')[0]!)
  return `${at} holds ${show(found)}, version ${version} has ${show(expected)}`
}

/** Small and even enough to pick by; the same everywhere. */
function hash(...values: readonly number[]): number {
  let state = 0x9e3779b9
  for (const value of values) {
    state = Math.imul(state ^ value, 0x85ebca6b)
    state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35)
    state ^= state >>> 16
  }
  return state >>> 0
}
