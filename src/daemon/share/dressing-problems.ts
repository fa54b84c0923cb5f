// What this disk does not have of owners, ACLs and attributes, for people: one line a kind, however many paths it is about.
import { decodeOwner, OWNER_TAG, type Principal, tagOf } from '../../core/attributes.js'
import { LACKS, type Lack, type Metadata } from '../../core/metadata.js'
import type { RelPath } from '../../core/path.js'
import type { Lacking } from '../../store/disk.js'
import type { DiskRow } from '../../store/rows.js'
import type { Problem, Standing } from './problems.js'

/** The part of the index that tells it. */
export interface LackingIndex {
  /** Files that were not given their set-user-id or set-group-id bit (core/setid.ts). */
  readonly withheld: ReadonlySet<RelPath>
  lacking(what: Lack): Lacking
  disk(path: RelPath): DiskRow | undefined
}

/** What is carried, in two texts to compare with the last time: of owners, and of attributes. */
export function dressingOf({ rules, mapping }: Metadata): {
  readonly owners: string
  readonly scope: string
} {
  const { owners, mayChown, scope, withholdsSetid } = rules
  return {
    owners: JSON.stringify([owners, mayChown, withholdsSetid, mapping.rules]),
    scope: JSON.stringify([scope.acls, scope.xattrs]),
  }
}

/** Whether somebody that paths were waiting for is there by now, going by a few of them. */
export function isAnybodyNew(index: LackingIndex, metadata: Metadata): boolean {
  const paths = [...index.lacking('account').examples, ...index.lacking('owner').examples]
  return paths.some((path) => {
    const row = index.disk(path)
    if (row?.stat === undefined || row.applied.fact.type === 'absent') return false
    const waits = ((row.lacks ?? 0) & LACKS.account) !== 0
    return waits && metadata.isOwnerKnown(row.applied.fact)
  })
}

const CODES: readonly (readonly [Lack, string])[] = [
  ['owner', 'OWNER_NOT_SET'],
  ['account', 'OWNER_UNKNOWN'],
  ['acl', 'ACL_NOT_SET'],
  ['xattrs', 'XATTR_NOT_SET'],
]

/** Problems that follow from the index: files without their set-id bits, each, and one for each kind of lack. */
export function metadataProblems(index: LackingIndex, metadata: () => Metadata): Standing {
  const kinds = (): (readonly [Lack, string])[] => CODES.filter(([what]) => index.lacking(what).count > 0)
  return {
    get size() {
      return kinds().length + index.withheld.size
    },
    list: (limit) => {
      const lines = kinds().map(([what, code]) => lineOf(index, metadata(), what, code))
      return [...lines, ...withheldProblems(index, limit - lines.length)].slice(0, Math.max(limit, 0))
    },
  }
}

function lineOf(index: LackingIndex, metadata: Metadata, what: Lack, code: string): Problem {
  const { count, examples } = index.lacking(what)
  const [example] = examples
  const row = example === undefined ? undefined : index.disk(example)
  const paths = count === 1 ? 'one path' : `${count} paths`
  const detail = DETAILS[what](paths, example === undefined ? '' : `, e.g. ${example}`, wishOf(row, metadata))
  return { path: '', code, detail, sinceMs: Math.trunc(row?.stat?.ctimeMs ?? 0) }
}

const DETAILS: Record<Lack, (paths: string, example: string, wish: string) => string> = {
  owner: (paths, example, wish) =>
    `the owner of ${paths} cannot be set here${example}${wish === '' ? '' : ` wants ${wish}`}: only root, or a daemon with CAP_CHOWN and CAP_FOWNER, can give files away; the share keeps the owner`,
  account: (paths, example, wish) =>
    `the owner of ${paths} is set by number, as the name is unknown here${example}${wish === '' ? '' : ` wants ${wish}`}: add the user or group and restart, or name another one in owner_map`,
  acl: (paths, example) =>
    `the ACL of ${paths} cannot be set here${example}: this file system or this user cannot hold it; the share keeps it`,
  xattrs: (paths, example) =>
    `extended attributes of ${paths} cannot be set here${example}: this file system or this user cannot hold them; the share keeps them`,
}

function wishOf(row: DiskRow | undefined, metadata: Metadata): string {
  if (row === undefined || row.applied.fact.type === 'absent') return ''
  const value = tagOf(row.applied.fact.extra, OWNER_TAG)
  const owner = value === undefined ? undefined : decodeOwner(value)
  if (owner === undefined) return value === undefined ? '' : 'an owner that cannot be read'
  const text = ({ id, name }: Principal): string =>
    name === '' ? String(id) : metadata.mapping.localName(name)
  return `${text(owner.user)}:${text(owner.group)}`
}

function withheldProblems(index: LackingIndex, limit: number): Problem[] {
  const detail =
    'not set-user-id or set-group-id here: its owner is not carried or could not be set, or the disk refuses the bits'
  return [...index.withheld].slice(0, Math.max(limit, 0)).map((path) => {
    const sinceMs = Math.trunc(index.disk(path)?.stat?.ctimeMs ?? 0)
    return { path, code: 'SETID_WITHHELD', detail, sinceMs }
  })
}
