import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { formatAcl } from '../../src/core/acl.js'
import {
  ACL_TAG,
  decodeAcl,
  decodeOwner,
  decodeXattrs,
  encodeAcl,
  encodeOwner,
  encodeXattrs,
  NO_ACL,
  OWNER_TAG,
  tagOf,
  withTag,
  XATTRS_TAG,
} from '../../src/core/attributes.js'
import { type Extra, NO_EXTRA } from '../../src/core/entry.js'
import { ABSENT, type FileFact, type LiveFact, sameFact } from '../../src/core/fact.js'
import { LACKS, type Metadata, type Observation } from '../../src/core/metadata.js'
import { ACL_ACCESS, packRaw, unpackRaw } from '../../src/core/raw-attributes.js'
import { aclArbitrary, principal, xattrsArbitrary } from '../support/attributes.js'
import { metadataOf } from '../support/metadata.js'
import { type Ability, statWith, withMode, worn } from '../support/wearing.js'

const HERE = { user: { alice: 1005, bob: 2, root: 0 }, group: { alice: 1005, 'www-data': 33, root: 0 } }
const SCOPE = { acls: true, xattrs: ['user.*'] }
const ALL: Ability = { chowns: true, holds: true, uid: 0 }
const carrying = (over: Parameters<typeof metadataOf>[0] = {}, map: Record<string, string> = {}): Metadata =>
  metadataOf({ owners: true, scope: SCOPE, withholdsSetid: true, ...over }, HERE, { map })

const file = (mode: number, extra: Extra = NO_EXTRA, content = 1): FileFact => {
  return { type: 'file', mode, mtimeUs: 5, size: 1, content: Buffer.alloc(32, content), extra }
}
const owner = (user: string, uid: number, group = user, gid = uid): Buffer =>
  encodeOwner({ user: { id: uid, name: user }, group: { id: gid, name: group } })
const seenOf = (fact: LiveFact, { stat }: Observation): LiveFact =>
  fact.type === 'symlink' ? { ...fact, extra: NO_EXTRA } : { ...fact, mode: stat.mode, extra: NO_EXTRA }
const modeOf = (fact: LiveFact): number => ('mode' in fact ? fact.mode : 0)
/** What a look makes of a path that showed `before` when it was dressed for `wish`, and shows `now`. */
const looked = (
  metadata: Metadata,
  wish: LiveFact,
  before: Observation,
  now: Observation,
  stating: 'stated' | 'changed' | 'all' = 'changed',
): LiveFact =>
  metadata.merged(
    seenOf(wish, now),
    now,
    wish,
    { stat: before.stat, shown: metadata.shownOf(before) },
    stating,
  )

describe('owners', () => {
  it('by name, by the number where nobody of that name is here, and by number alone', () => {
    const wish = file(0o4755, [[OWNER_TAG, owner('alice', 1000, 'carol', 77)]])
    assert.deepEqual(carrying().dress(wish, true).dress?.uid, 1005)
    // Setuid only for the very account.
    assert.deepEqual(
      [carrying().dress(wish, true).mode, carrying().dress(wish, true).dress?.gid],
      [0o755, 77],
    )
    const byNumber = metadataOf({ owners: true }, HERE, { by: 'number' })
    assert.deepEqual(byNumber.dress(wish, true), { mode: 0o4755, dress: { uid: 1000, gid: 77 } })
    assert.deepEqual(metadataOf({ withholdsSetid: true }).dress(wish, true), { mode: 0o755 })
    assert.equal(carrying().isOwnerKnown(wish), false)
  })

  it('a name of digits is nobody, whatever number it is', () => {
    const wish = file(0o755, [[OWNER_TAG, owner('0', 4711)]])
    assert.equal(carrying().dress(wish, true).dress?.uid, 4711)
  })

  it('another name here, and the share\u2019s name in what is published', () => {
    const metadata = carrying({}, { wwwrun: 'www-data', wwwuser: 'alice' })
    const wish = file(0o644, [[OWNER_TAG, owner('wwwuser', 30, 'wwwrun', 8)]])
    assert.deepEqual(
      [metadata.dress(wish, true).dress?.uid, metadata.dress(wish, true).dress?.gid],
      [1005, 33],
    )
    const now = { stat: statWith(wish, 0o644, 1005, 33), attributes: undefined }
    const fresh = metadata.merged(
      seenOf(wish, now),
      now,
      ABSENT,
      { stat: undefined, shown: undefined },
      'all',
    )
    assert.deepEqual(decodeOwner(tagOf(fresh.extra, OWNER_TAG)!), {
      user: { id: 1005, name: 'wwwuser' },
      group: { id: 33, name: 'wwwrun' },
    })
  })

  it('a group that is changed where the user could not be set leaves the user as it was', () => {
    const metadata = carrying({ mayChown: false })
    const wish = file(0o644, [[OWNER_TAG, owner('carol', 900)]])
    const before = { stat: statWith(wish, 0o644, 65534, 65534), attributes: undefined }
    const now = { stat: statWith(wish, 0o644, 65534, 33), attributes: undefined }
    assert.equal(metadata.lacks(wish, before), LACKS.owner | LACKS.account)
    assert.deepEqual(looked(metadata, wish, before, before), wish)
    assert.deepEqual(decodeOwner(tagOf(looked(metadata, wish, before, now).extra, OWNER_TAG)!), {
      user: { id: 900, name: 'carol' },
      group: { id: 33, name: 'www-data' },
    })
  })

  it('what nobody has stated is stated by who made it, or who changed it, and never by a reader', () => {
    const metadata = carrying()
    const wish = file(0o644)
    const before = { stat: statWith(wish, 0o644, 0, 0), attributes: Buffer.alloc(0) }
    const now = { stat: statWith(wish, 0o644, 2, 0), attributes: Buffer.alloc(0) }
    const tags = (fact: LiveFact): number[] => fact.extra.map(([tag]) => tag)
    assert.deepEqual(tags(looked(metadata, wish, before, before, 'changed')), [])
    assert.deepEqual(tags(looked(metadata, wish, before, now, 'changed')), [OWNER_TAG])
    assert.deepEqual(tags(looked(metadata, wish, before, before, 'all')), [OWNER_TAG, ACL_TAG, XATTRS_TAG])
    assert.deepEqual(tags(looked(metadata, wish, before, now, 'stated')), [])
  })

  it('an account that is renumbered while nobody touches the file is no change', () => {
    const accounts = { user: { alice: 1005 }, group: { alice: 1005 } }
    const metadata = metadataOf({ owners: true }, accounts)
    const wish = file(0o644, [[OWNER_TAG, owner('alice', 1)]])
    const before = worn(metadata, wish, ALL)
    accounts.user.alice = 6
    assert.deepEqual(looked(metadata, wish, before, before), wish)
  })
})

describe('ACLs', () => {
  const acl = encodeAcl({
    access: { group: 5, entries: [{ kind: 'user', rights: 7, id: 1, name: 'alice' }] },
    default: undefined,
  })!
  const wish = file(0o670, [[ACL_TAG, acl]])

  it('the mode alone where it cannot be held gives nobody more rights', () => {
    assert.equal(carrying({ scope: { acls: false, xattrs: [] } }).dress(wish, true).mode, 0o650)
    const { mode, dress } = carrying().dress(wish, true)
    assert.deepEqual([mode, dress?.modeWithoutAcl], [0o670, 0o650])
    const blob = formatAcl({
      ...{ owner: 6, group: 5, other: 0, mask: 7 },
      entries: [{ kind: 'user', rights: 7, id: 1005 }],
    })
    assert.deepEqual(unpackRaw(dress!.attributes!), [[ACL_ACCESS, blob]])
  })

  it('chmod is a change of the mode and not of the ACL, also where that cannot be held', () => {
    const without = metadataOf({ scope: { acls: false, xattrs: [] } })
    const before = worn(without, wish, ALL)
    const opened = looked(without, wish, before, withMode(before, 0o654))
    assert.deepEqual(opened, { ...wish, mode: 0o674 })
    const held = worn(carrying(), wish, ALL)
    assert.deepEqual(looked(carrying(), wish, held, withMode(held, 0o640)), { ...wish, mode: 0o640 })
  })

  it('an entry of somebody unknown here keeps its name when another one is added', () => {
    const stranger = encodeAcl({
      access: { group: 5, entries: [{ kind: 'user', rights: 6, id: 2005, name: 'carol' }] },
      default: undefined,
    })!
    const fact = file(0o670, [[ACL_TAG, stranger]])
    const metadata = carrying({ owners: false })
    const before = worn(metadata, fact, ALL)
    const blob = formatAcl({
      ...{ owner: 6, group: 5, other: 0, mask: 7 },
      entries: [
        { kind: 'user', rights: 4, id: 2 },
        { kind: 'user', rights: 6, id: 2005 },
      ],
    })
    const now = { ...before, attributes: packRaw([[ACL_ACCESS, blob]]) }
    const merged = decodeAcl(tagOf(looked(metadata, fact, before, now).extra, ACL_TAG)!)
    assert.deepEqual(merged?.access?.entries, [
      { kind: 'user', rights: 4, id: 2, name: 'bob' },
      { kind: 'user', rights: 6, id: 2005, name: 'carol' },
    ])
  })

  it('the mode that it leaves without it is the user\u2019s where the disk has none or another, though nobody noted what was there', () => {
    const { attributes } = worn(carrying(), wish, ALL)
    const unnoted = { stat: undefined, shown: undefined }
    const after = (mode: number, seenAttributes: Buffer | undefined, metadata = carrying()): LiveFact => {
      const now = { stat: statWith(wish, mode, 0, 0), attributes: seenAttributes }
      return metadata.merged(seenOf(wish, now), now, wish, unnoted, 'changed')
    }
    // The plain mode of the wish is 0650, which is what a user may leave, too.
    const removed = after(0o650, Buffer.alloc(0))
    assert.deepEqual([modeOf(removed), tagOf(removed.extra, ACL_TAG)], [0o650, Buffer.alloc(0)])
    const masked = after(0o650, withMode({ stat: statWith(wish, 0o670, 0, 0), attributes }, 0o650).attributes)
    assert.deepEqual(masked, { ...wish, mode: 0o650 })
    assert.deepEqual(after(0o650, undefined), wish)
    assert.deepEqual(after(0o650, undefined, carrying({ scope: { acls: false, xattrs: [] } })), wish)
    const now = { stat: statWith(wish, 0o650, 0, 0), attributes: Buffer.alloc(0) }
    assert.equal(modeOf(carrying().as(seenOf(wish, now), now, wish, true)), 0o650)
  })

  it('removed by the user is stated: none', () => {
    const before = worn(carrying(), wish, ALL)
    const now = { ...withMode(before, 0o650), attributes: Buffer.alloc(0) }
    assert.deepEqual(looked(carrying(), wish, before, now).extra, [[ACL_TAG, Buffer.alloc(0)]])
  })

  it('only what is stated is set on a path that is there; a new one has nothing else', () => {
    const part = carrying().dress(wish, false).dress
    assert.deepEqual(part?.about, { acls: true, xattrs: false })
    assert.equal(carrying().dress(wish, true).dress?.about, undefined)
    assert.deepEqual(carrying().dress(file(0o644), false), { mode: 0o644 })
    assert.deepEqual(carrying().dress(file(0o644), true).dress, { attributes: Buffer.alloc(0) })
  })
})

it('xattrs out of the scope are left alone, and the system\u2019s are never set', () => {
  const value = encodeXattrs([
    ['security.capability', Buffer.from('root')],
    ['user.a', Buffer.from('1')],
  ])!
  const wish = file(0o644, [[XATTRS_TAG, value]])
  const before = worn(carrying(), wish, ALL)
  assert.deepEqual(
    unpackRaw(before.attributes!).map(([name]) => name),
    ['user.a'],
  )
  const now = { ...before, attributes: packRaw([['user.b', Buffer.from('2')]]) }
  assert.deepEqual(decodeXattrs(tagOf(looked(carrying(), wish, before, now).extra, XATTRS_TAG)!), [
    ['security.capability', Buffer.from('root')],
    ['user.b', Buffer.from('2')],
  ])
})

describe('properties', () => {
  const anyExtra = fc
    .tuple(
      fc.option(fc.tuple(principal, principal), { nil: undefined }),
      fc.option(aclArbitrary, { nil: undefined }),
      fc.option(xattrsArbitrary, { nil: undefined }),
      fc.option(fc.uint8Array({ maxLength: 5 }), { nil: undefined }),
    )
    .map(([who, acl, xattrs, later]): Extra => {
      let extra = NO_EXTRA
      if (who !== undefined) extra = withTag(extra, OWNER_TAG, encodeOwner({ user: who[0], group: who[1] }))
      if (acl !== undefined) extra = withTag(extra, ACL_TAG, encodeAcl(acl))
      if (xattrs !== undefined) extra = withTag(extra, XATTRS_TAG, encodeXattrs(xattrs))
      return later === undefined ? extra : withTag(extra, 9, Buffer.from(later))
    })
  const anyFact = fc
    .tuple(fc.constantFrom('file', 'directory', 'symlink'), fc.nat(0o7777), anyExtra)
    .map(([type, mode, extra]): LiveFact => {
      if (type === 'file') return file(mode, extra)
      // A symlink has an owner alone, and a file no default ACL: nobody states those of them.
      if (type === 'symlink')
        return { type, mtimeUs: 5, target: 't', extra: extra.filter(([tag]) => tag === OWNER_TAG) }
      return { type: 'directory', mode, mtimeUs: 5, extra }
    })
    .map((fact) => {
      const value = fact.type === 'file' ? tagOf(fact.extra, ACL_TAG) : undefined
      if (value === undefined) return fact
      const { access } = decodeAcl(value)!
      return { ...fact, extra: withTag(fact.extra, ACL_TAG, encodeAcl({ ...NO_ACL, access })) }
    })
  /** Nodes of all kinds: told to carry this or that, on file systems that can or cannot, as root or not. */
  const anyNode = fc
    .record({
      owners: fc.boolean(),
      acls: fc.boolean(),
      xattrs: fc.constantFrom([], ['user.*'], ['user.a']),
      chowns: fc.boolean(),
      holds: fc.boolean(),
      by: fc.constantFrom('name', 'number'),
    })
    .map(({ owners, acls, xattrs, chowns, holds, by }) => ({
      metadata: metadataOf(
        { owners, mayChown: chowns, scope: { acls, xattrs }, withholdsSetid: chowns },
        HERE,
        { by: by as 'name' },
      ),
      ability: { chowns, holds, uid: chowns ? 0 : 65534 },
    }))

  it('no node strips what it cannot hold, and whoever looks twice sees the same', () => {
    fc.assert(
      fc.property(
        anyFact,
        anyNode,
        fc.constantFrom('stated', 'changed'),
        (wish, { metadata, ability }, stating) => {
          const shown = worn(metadata, wish, ability)
          assert.deepEqual(looked(metadata, wish, shown, shown, stating as 'stated'), wish)
          // Also where nobody has noted what was put there, as after a crash.
          assert.equal(
            sameFact(metadata.as(seenOf(wish, shown), shown, wish, true), wish),
            isHeld(wish, metadata, shown),
          )
        },
      ),
      { numRuns: 3000 },
    )
    /** Whether all that this node would notice the lack of is there. */
    function isHeld(wish: LiveFact, metadata: Metadata, shown: Observation): boolean {
      const lacks = metadata.lacks(wish, shown)
      const isAttribute = shown.attributes !== undefined && (lacks & (LACKS.acl | LACKS.xattrs)) !== 0
      return !isAttribute && !(metadata.rules.mayChown && (lacks & LACKS.owner) !== 0)
    }
  })

  it('a change of one attribute keeps all others', () => {
    const change = fc.constantFrom('mode', 'uid', 'gid', 'acl', 'xattr')
    fc.assert(
      fc.property(anyFact, anyNode, change, fc.nat(0o777), (wish, { metadata, ability }, what, bits) => {
        if (wish.type === 'symlink' && what !== 'uid' && what !== 'gid') return
        const before = worn(metadata, wish, ability)
        const { stat, attributes } = before
        const without = (name: string): (readonly [string, Buffer])[] =>
          unpackRaw(attributes ?? Buffer.alloc(0)).filter(([other]) => other !== name)
        const add = (name: string, value: Buffer): Buffer =>
          packRaw([...without(name), [name, value] as const].sort(([a], [b]) => (a < b ? -1 : 1)))
        let now: Observation = before
        if (what === 'mode') now = withMode(before, stat.mode ^ bits)
        // Not upwards: 2^32 - 1 is nobody's number.
        const another = (id: number): number => (id === 0 ? 1 : id - 1)
        if (what === 'uid') now = { ...before, stat: { ...stat, uid: another(stat.uid) } }
        if (what === 'gid') now = { ...before, stat: { ...stat, gid: another(stat.gid) } }
        if (attributes !== undefined && what === 'xattr' && metadata.rules.scope.xattrs.length > 0)
          now = { ...before, attributes: add('user.a', Buffer.from('changed')) }
        if (attributes !== undefined && what === 'acl' && metadata.rules.scope.acls) {
          const [owner, mask, other] = [(stat.mode >> 6) & 7, (stat.mode >> 3) & 7, stat.mode & 7]
          const entries = [{ kind: 'user', rights: 3, id: 987 }] as const
          now = {
            ...before,
            attributes: add(ACL_ACCESS, formatAcl({ owner, group: 1, other, mask, entries })),
          }
        }
        const merged = looked(metadata, wish, before, now)
        const touched = { mode: 0, uid: OWNER_TAG, gid: OWNER_TAG, acl: ACL_TAG, xattr: XATTRS_TAG }[what]
        for (const tag of [OWNER_TAG, ACL_TAG, XATTRS_TAG, 9])
          if (tag !== touched)
            assert.deepEqual(tagOf(merged.extra, tag), tagOf(wish.extra, tag), `tag ${tag}`)
        if (what !== 'mode' && 'mode' in merged && 'mode' in wish) assert.equal(merged.mode, wish.mode)
        const [left, right] = [tagOf(merged.extra, OWNER_TAG), tagOf(wish.extra, OWNER_TAG)]
        if (what === 'uid' && left !== undefined && right !== undefined)
          assert.deepEqual(decodeOwner(left)?.group, decodeOwner(right)?.group)
      }),
      { numRuns: 3000 },
    )
  })

  it('what one node states, another that can hold it all wears, and states the same when asked', () => {
    fc.assert(
      fc.property(anyFact, (wish) => {
        const metadata = carrying()
        const shown = worn(metadata, wish, ALL)
        assert.equal(metadata.lacks(wish, shown) & ~LACKS.account, 0)
        const fresh = metadata.merged(
          seenOf(wish, shown),
          shown,
          ABSENT,
          { stat: undefined, shown: undefined },
          'all',
        )
        const again = worn(metadata, fresh, ALL)
        assert.deepEqual(again.attributes, shown.attributes)
        assert.deepEqual([again.stat.uid, again.stat.gid], [shown.stat.uid, shown.stat.gid])
        assert.deepEqual(looked(metadata, fresh, again, again, 'all'), fresh)
      }),
      { numRuns: 2000 },
    )
  })

  it('a value that nobody can read is passed on, never applied, and breaks nothing', () => {
    fc.assert(
      fc.property(fc.constantFrom(1, 2, 3), fc.uint8Array({ maxLength: 30 }), anyNode, (tag, bytes, node) => {
        const { metadata, ability } = node
        const wish = file(0o6777, [[tag, Buffer.from(bytes)]])
        const shown = worn(metadata, wish, ability)
        assert.deepEqual(looked(metadata, wish, shown, shown, 'stated'), wish)
        metadata.as(seenOf(wish, shown), shown, wish, true)
        metadata.lacks(wish, shown)
        const isOwner = tag === OWNER_TAG && decodeOwner(Buffer.from(bytes)) !== undefined
        if (ability.chowns && !isOwner) assert.equal(shown.stat.mode & 0o6000, 0)
      }),
      { numRuns: 2000 },
    )
  })
})
