// Releases: a tree of the share under a name, made once and never changed, that nodes switch to as a whole. Here are the
// places they have in a share, the two small files that say what they are and which one is to be shown, and the decisions
// about them. Values only; building, fetching and switching are src/daemon/release.
//
//   releases/NAME/...       the tree, ordinary paths of the share
//   releases/NAME.json      its manifest, which comes last: {"format": 1, "name", "created", "by", "files", "bytes", "digest"}
//   releases/.switch.json   which release is to be shown: {"format": 1, "sequence", "name", "when", "by", "time", "history"}
//   current                 on nodes that follow releases alone: a symlink to releases/NAME, never synced
//
// Both files are JSON with exactly these members. The digest of a release is that of a tree (digest.ts) over its paths
// relative to releases/NAME, which is itself ".".
import { NO_EXTRA } from './entry.js'
import { type Fact, fingerprint, type LiveFact, sameFact } from './fact.js'
import type { RelPath } from './path.js'
import { type Decoded, decoding, Malformed } from './violation.js'

export const RELEASES_DIR: RelPath = 'releases' as RelPath
export const SWITCH_FILE: RelPath = 'releases/.switch.json' as RelPath
export const CURRENT_LINK: RelPath = 'current' as RelPath

/** Longest text of a manifest or an order; what is longer is refused unread. */
export const MAX_RELEASE_TEXT = 16_384
/** Releases that an order remembers as shown before, for rolling back. */
export const MAX_HISTORY = 32
const MAX_WAITED_FOR = 1000
const MAX_LABEL = 200
const MAX_NAME = 100
const MANIFEST_END = '.json'
const FORMAT = 1
const PREFIX = `${RELEASES_DIR}/`
/** The tree's own root, among the paths of its digest. */
const ROOT = '.' as RelPath

export interface Manifest {
  readonly name: string
  /** When it was made, ISO 8601; for people. */
  readonly created: string
  /** What people call the device that made it. */
  readonly by: string
  readonly files: number
  readonly bytes: number
  /** 32 bytes. */
  readonly digest: Buffer
}

/** Who must hold a release before anybody switches to it: each for itself, all that follow, or so many of them. */
export type SwitchWhen = 'now' | 'all' | number

export interface SwitchOrder {
  /** Grows with every order. */
  readonly sequence: number
  readonly name: string
  readonly when: SwitchWhen
  /** What people call the device that gave it. */
  readonly by: string
  /** ISO 8601; for people. */
  readonly time: string
  /** What was shown before, the latest last; what rolling back goes through. */
  readonly history: readonly string[]
}

/** Why a text cannot name a release, or undefined. */
export function releaseNameProblem(name: string): string | undefined {
  if (!/^[A-Za-z0-9][A-Za-z0-9._+@-]*$/.test(name))
    return 'expected letters, digits and . _ + @ - only, the first one a letter or digit'
  if (name.length > MAX_NAME) return `expected at most ${MAX_NAME} characters`
  return name.endsWith(MANIFEST_END) ? `must not end in ${MANIFEST_END}` : undefined
}

/** A name from an instant in UTC, free among those that are taken. */
export function defaultReleaseName(atMs: number, isTaken: (name: string) => boolean): string {
  const base = new Date(atMs)
    .toISOString()
    .replace(/[-:]|\..*/g, '')
    .replace('T', '-')
  let name = base
  for (let count = 2; isTaken(name); count++) name = `${base}-${count}`
  return name
}

export function releaseDir(name: string): RelPath {
  return `${PREFIX}${name}` as RelPath
}

export function manifestPath(name: string): RelPath {
  return `${PREFIX}${name}${MANIFEST_END}` as RelPath
}

/** The name of the release whose manifest a path would be. */
export function manifestNameOf(path: RelPath): string | undefined {
  if (!path.startsWith(PREFIX) || !path.endsWith(MANIFEST_END)) return undefined
  return nameOrNone(path.slice(PREFIX.length, -MANIFEST_END.length))
}

/** The release that a path is the directory of, or lies in. */
export function releaseOf(path: RelPath): string | undefined {
  if (!path.startsWith(PREFIX)) return undefined
  const slash = path.indexOf('/', PREFIX.length)
  return nameOrNone(slash < 0 ? path.slice(PREFIX.length) : path.slice(PREFIX.length, slash))
}

/** Whether a path belongs to the releases: `releases` itself or anything below. */
export function isInReleases(path: RelPath): boolean {
  return path === RELEASES_DIR || path.startsWith(PREFIX)
}

/** A path within a release relative to it, '.' for the release's own directory. */
export function pathInRelease(path: RelPath, name: string): RelPath {
  const start = PREFIX.length + name.length
  return path.length === start ? ROOT : (path.slice(start + 1) as RelPath)
}

/** The same path in the other ones of some releases; none for a path that is in no release. */
export function twinsOf(path: RelPath, names: readonly string[]): RelPath[] {
  const name = releaseOf(path)
  if (name === undefined || path === releaseDir(name)) return []
  const inside = pathInRelease(path, name)
  return names.flatMap((other) => (other === name ? [] : (`${releaseDir(other)}/${inside}` as RelPath)))
}

/**
 * What stands for a path of a release in its digest; `path` as pathInRelease gives it. Owners, ACLs and the like are left
 * out: who carries them states them for paths that others published without, and that changes no release.
 */
export function releaseFingerprint(path: RelPath, fact: LiveFact): Buffer {
  return fingerprint(path, fact.extra.length === 0 ? fact : { ...fact, extra: NO_EXTRA })
}

/** Whether a release that is shown may come to hold this instead: the same but for owners, ACLs and the like. */
export function isSameInRelease(a: Fact, b: Fact): boolean {
  const bare = (fact: Fact): Fact => (fact.type === 'absent' ? fact : { ...fact, extra: NO_EXTRA })
  return sameFact(bare(a), bare(b))
}

/** The text of the symlink that shows a release. */
export function currentTarget(name: string): string {
  return `${PREFIX}${name}`
}

/** The release that a symlink's text shows; undefined for a link that is not ours. */
export function releaseOfTarget(target: string): string | undefined {
  return target.startsWith(PREFIX) ? nameOrNone(target.slice(PREFIX.length)) : undefined
}

export function manifestText({ name, created, by, files, bytes, digest }: Manifest): string {
  return textOf({ format: FORMAT, name, created, by, files, bytes, digest: digest.toString('hex') })
}

/** Reads the manifest of a release. */
export function readManifest(text: string, name: string): Decoded<Manifest> {
  return decoding(() => {
    const value = members(text, ['name', 'created', 'by', 'files', 'bytes', 'digest'])
    const manifest = {
      name: releaseNameIn(value.name),
      created: instantIn(value.created),
      by: labelIn(value.by),
      files: countIn(value.files),
      bytes: countIn(value.bytes),
      digest: digestIn(value.digest),
    }
    if (manifest.name !== name) throw new Malformed('bad-name', 'it is the manifest of another release')
    return manifest
  })
}

export function orderText({ sequence, name, when, by, time, history }: SwitchOrder): string {
  return textOf({ format: FORMAT, sequence, name, when, by, time, history: history.slice(-MAX_HISTORY) })
}

export function readOrder(text: string): Decoded<SwitchOrder> {
  return decoding(() => {
    const value = members(text, ['sequence', 'name', 'when', 'by', 'time', 'history'])
    if (!Array.isArray(value.history) || value.history.length > MAX_HISTORY)
      throw new Malformed('bad-history', `"history" is not a list of at most ${MAX_HISTORY}`)
    return {
      sequence: countIn(value.sequence),
      name: releaseNameIn(value.name),
      when: whenIn(value.when),
      by: labelIn(value.by),
      time: instantIn(value.time),
      history: value.history.map(releaseNameIn),
    }
  })
}

/** The order that comes after another one. */
export function nextOrder(
  before: SwitchOrder | undefined,
  name: string,
  said: Pick<SwitchOrder, 'when' | 'by' | 'time'>,
): SwitchOrder {
  const past = before === undefined ? [] : [...before.history.filter((old) => old !== name), before.name]
  const history = before?.name === name ? before.history : past
  return { sequence: (before?.sequence ?? 0) + 1, name, ...said, history: history.slice(-MAX_HISTORY) }
}

/** The order that goes back to what was shown before and is still there; undefined: there is none. */
export function rollbackOrder(
  before: SwitchOrder | undefined,
  isThere: (name: string) => boolean,
  said: Pick<SwitchOrder, 'by' | 'time'>,
): SwitchOrder | undefined {
  if (before === undefined) return undefined
  const at = before.history.findLastIndex((name) => name !== before.name && isThere(name))
  if (at < 0) return undefined
  const history = before.history.slice(0, at)
  return { ...said, sequence: before.sequence + 1, name: before.history[at]!, when: 'now', history }
}

/** What a node's `current` is. */
export type Current =
  | { readonly type: 'none' }
  | { readonly type: 'release'; readonly name: string }
  /** Something else has the name; `what` in words. */
  | { readonly type: 'taken'; readonly what: string }

/** How a release stands on one node. */
export type ReleaseHold =
  /** All of it is on this disk, as its manifest says. */
  | 'complete'
  /** There is no manifest yet, or something is still to be brought here. */
  | 'partial'
  /** All that the share says is here, and that is not what the manifest says: it was changed after it was made. */
  | 'changed'
  /** What is on this disk was changed here. */
  | 'drifted'

export interface SwitchLook {
  readonly order: SwitchOrder | undefined
  readonly current: Current
  /** Of the release that the order names; undefined: the share has none of that name. */
  readonly hold: ReleaseHold | undefined
  /** Other nodes that follow releases and are waited for, and how many of them say that they hold it. */
  readonly others: number
  readonly holders: number
}

export type SwitchStep =
  | { readonly type: 'none' }
  | { readonly type: 'switch'; readonly name: string }
  /** It goes on by itself. */
  | { readonly type: 'wait'; readonly detail: string }
  /** A person has to do something. */
  | { readonly type: 'problem'; readonly code: string; readonly detail: string }

/** What a node that follows releases is to do now. */
export function switchStep({ order, current, hold, others, holders }: SwitchLook): SwitchStep {
  if (order === undefined) return { type: 'none' }
  const { name, when } = order
  if (current.type === 'release' && current.name === name) return { type: 'none' }
  if (current.type === 'taken') {
    const detail = `cannot show release ${name}: "${CURRENT_LINK}" is ${current.what}; move it away`
    return { type: 'problem', code: 'CURRENT_TAKEN', detail }
  }
  if (hold === undefined) return { type: 'wait', detail: `release ${name} is not known here yet` }
  if (hold === 'partial') return { type: 'wait', detail: `release ${name} is not all here yet` }
  if (hold === 'changed') {
    const detail = `release ${name} is not what its manifest says: it was changed after it was made`
    return { type: 'problem', code: 'RELEASE_CHANGED', detail }
  }
  if (hold === 'drifted') {
    const detail = `release ${name} was changed on this node (shoal drift)`
    return { type: 'problem', code: 'RELEASE_DRIFTED', detail }
  }
  const needed = when === 'all' ? others + 1 : when === 'now' ? 1 : when
  if (holders + 1 >= needed) return { type: 'switch', name }
  return { type: 'wait', detail: `${holders + 1} of ${needed} nodes hold release ${name}` }
}

export interface RetentionLook {
  /** Names of the finished releases, oldest first. */
  readonly releases: readonly string[]
  /** Leave so many of the newest. */
  readonly keep: number
  readonly order: SwitchOrder | undefined
  /** What nodes say that they show. */
  readonly shown: ReadonlySet<string>
}

/** The releases that may go, oldest first: none that is shown anywhere, is to be, or was so before. */
export function expendable({ releases, keep, order, shown }: RetentionLook): string[] {
  const previous = order?.history.findLast((name) => name !== order.name && releases.includes(name))
  return releases
    .slice(0, Math.max(0, releases.length - keep))
    .filter((name) => name !== order?.name && name !== previous && !shown.has(name))
}

function nameOrNone(text: string): string | undefined {
  return releaseNameProblem(text) === undefined ? text : undefined
}

function textOf(value: object): string {
  return `${JSON.stringify(value, undefined, 1)}\n`
}

/** The members of a JSON object that must have "format" and exactly these. */
function members<Name extends string>(text: string, names: readonly Name[]): Readonly<Record<Name, unknown>> {
  if (text.length > MAX_RELEASE_TEXT) throw new Malformed('too-long', `it has ${text.length} characters`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Malformed('bad-json', 'it is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Malformed('bad-json', 'it is not a JSON object')
  const found = value as Record<string, unknown>
  if (found.format !== FORMAT) throw new Malformed('bad-format', 'its format is not known to this version')
  const wanted: readonly string[] = ['format', ...names]
  const odd = [...Object.keys(found), ...wanted].find((key) => !wanted.includes(key) || !(key in found))
  if (odd !== undefined) throw new Malformed('bad-member', 'its members are not those of its format')
  return found as Record<Name, unknown>
}

function releaseNameIn(value: unknown): string {
  if (typeof value !== 'string' || releaseNameProblem(value) !== undefined)
    throw new Malformed('bad-name', 'it names no release')
  return value
}

function labelIn(value: unknown): string {
  if (typeof value !== 'string' || value.length > MAX_LABEL)
    throw new Malformed('bad-text', 'a text is too long')
  return value
}

function instantIn(value: unknown): string {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z$/.test(value))
    throw new Malformed('bad-time', 'a time is not one')
  return value
}

function countIn(value: unknown): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw new Malformed('bad-count', 'a count is not one')
  return value
}

function digestIn(value: unknown): Buffer {
  if (typeof value !== 'string' || !/^[0-9a-f]{64}$/.test(value))
    throw new Malformed('bad-digest', 'the digest is not one')
  return Buffer.from(value, 'hex')
}

function whenIn(value: unknown): SwitchWhen {
  if (value === 'now' || value === 'all') return value
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_WAITED_FOR)
    return value
  throw new Malformed('bad-when', 'it does not say when')
}
