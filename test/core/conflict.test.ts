import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  conflictPath,
  DISTINCT_NAMES,
  isConflictCopy,
  keptPath,
  originalOf,
} from '../../src/core/conflict.js'
import { MAX_NAME_BYTES, nameOf, parentOf, pathFault, type RelPath } from '../../src/core/path.js'
import { directory, file, names, path, symlink } from '../support/arbitraries.js'

const HOUR_US = 3_600_000_000
const loser = file({ 1: 1 }, 'x', { mtimeUs: Date.UTC(2026, 1, 3, 4, 5, 6) * 1000 + 789_000 })
const labels = fc.stringMatching(/^[A-Za-z0-9_-]{1,24}$/)
const times = fc.oneof(fc.maxSafeInteger(), fc.constantFrom(0, -1, -HOUR_US, Number.MAX_SAFE_INTEGER))
const losers = fc
  .tuple(fc.string(), times, fc.boolean())
  .map(([text, mtimeUs, isLink]) =>
    isLink ? symlink({ 1: 1 }, text || 'x', { mtimeUs }) : file({ 1: 1 }, text, { mtimeUs }),
  )

describe('names of conflict copies (V5)', () => {
  const cases: { name: string; at: string; label?: string; expect: string }[] = [
    { name: 'an extension stays last', at: 'a/b.txt', expect: 'a/b.conflict-20260203-040506-box.txt' },
    {
      name: 'only the last extension counts',
      at: 'a.tar.gz',
      expect: 'a.tar.conflict-20260203-040506-box.gz',
    },
    { name: 'no extension', at: 'Makefile', expect: 'Makefile.conflict-20260203-040506-box' },
    {
      name: 'a hidden name is no extension',
      at: '.profile',
      expect: '.profile.conflict-20260203-040506-box',
    },
    { name: 'a hidden name with one', at: '.a.b', expect: '.a.conflict-20260203-040506-box.b' },
    { name: 'a dot at the end', at: 'a.', expect: 'a.conflict-20260203-040506-box.' },
    {
      name: 'a long extension is part of the name',
      at: `a.${'e'.repeat(30)}`,
      expect: `a.${'e'.repeat(30)}.conflict-20260203-040506-box`,
    },
    {
      name: 'a copy of a copy',
      at: 'a.conflict-20250101-000000-x.b',
      expect: 'a.conflict-20250101-000000-x.conflict-20260203-040506-box.b',
    },
  ]
  for (const { name, at, label = 'box', expect } of cases) {
    it(name, () => assert.equal(conflictPath(path(at), loser, label, false), expect))
  }

  it('the distinct ones carry digits of the content, each attempt others', () => {
    const hex = loser.content.toString('hex')
    assert.equal(
      conflictPath(path('a.b'), loser, 'box', true),
      `a.conflict-20260203-040506-box-${hex.slice(0, 8)}.b`,
    )
    const all = Array.from({ length: DISTINCT_NAMES }, (_, i) =>
      conflictPath(path('a'), loser, 'box', true, i),
    )
    assert.equal(new Set(all).size, DISTINCT_NAMES)
    const one = conflictPath(path('a'), symlink({ 1: 1 }, 'one'), 'box', true)
    assert.notEqual(one, conflictPath(path('a'), symlink({ 1: 1 }, 'two'), 'box', true))
  })

  it('times that a calendar cannot hold are clamped', () => {
    const at = (mtimeUs: number) => conflictPath(path('a'), directory({ 1: 1 }, { mtimeUs }), 'box', false)
    assert.equal(at(-1), 'a.conflict-19691231-235959-box')
    assert.equal(at(Number.MIN_SAFE_INTEGER), 'a.conflict-16840728-001225-box')
    assert.equal(at(Number.MAX_SAFE_INTEGER), 'a.conflict-22550605-234734-box')
  })

  it('any name gives a valid one beside it, within 255 bytes of UTF-8, the same every time', () => {
    fc.assert(
      fc.property(
        names,
        losers,
        labels,
        fc.boolean(),
        fc.nat(DISTINCT_NAMES - 1),
        (name, copy, label, distinct, attempt) => {
          const at = path(`d/${name}`)
          const copyPath = conflictPath(at, copy, label, distinct, attempt)
          assert.equal(pathFault(copyPath), undefined)
          assert.equal(parentOf(copyPath), 'd')
          assert.ok(Buffer.byteLength(nameOf(copyPath)) <= MAX_NAME_BYTES)
          assert.notEqual(copyPath, at)
          assert.ok(nameOf(copyPath).isWellFormed())
          assert.ok(isConflictCopy(copyPath))
          assert.equal(conflictPath(at, copy, label, distinct, attempt), copyPath)
        },
      ),
      { numRuns: 500 },
    )
  })

  it('tell which path they belong to while the name was short enough', () => {
    fc.assert(
      fc.property(names, losers, labels, fc.boolean(), (name, copy, label, distinct) => {
        fc.pre(Buffer.byteLength(name) < 180 && !isConflictCopy(path(name)))
        const at = path(`d/${name}`)
        assert.equal(originalOf(conflictPath(at, copy, label, distinct)), at)
      }),
    )
  })

  it('what a user calls like a copy of nothing is none', () => {
    for (const stem of ['', '.', '..', '.shoal'])
      assert.equal(isConflictCopy(`${stem}.conflict-20240102-030405-nas` as RelPath), false, stem)
    assert.equal(isConflictCopy(path('d/a.conflict-20240102-030405-nas')), true)
  })

  it('a copy that stays gets a name that is no conflict copy, another one for each number', () => {
    fc.assert(
      fc.property(names, losers, labels, fc.integer({ min: 2, max: 999 }), (name, copy, label, count) => {
        const at = conflictPath(path(`d/${name}`), copy, label, false)
        const kept = [keptPath(at, 1), keptPath(at, count)]
        assert.notEqual(kept[0], kept[1])
        for (const each of kept) {
          assert.equal(isConflictCopy(each), false)
          assert.equal(pathFault(each), undefined)
        }
      }),
    )
    const copy = path('d/a.conflict-20240102-030405-nas.conflict-20240102-030405-phone.txt')
    assert.equal(keptPath(copy, 1), 'd/a.kept-20240102-030405-nas.kept-20240102-030405-phone.txt')
  })

  it('a path of the greatest length gets a copy in the nearest directory that has room', () => {
    const deep = path(`${'y/'.repeat(1899)}zz`)
    assert.equal(Buffer.byteLength(deep), 3800)
    const copy = conflictPath(deep, loser, 'box', false)
    assert.equal(pathFault(copy), undefined)
    assert.ok(deep.startsWith(`${parentOf(copy)}/`) && Buffer.byteLength(copy) > 3790)
    const wide = path(`${'y'.repeat(250)}/`.repeat(15).concat('z'.repeat(35)))
    const wideCopy = conflictPath(wide, loser, 'box', false)
    assert.ok(wide.startsWith(`${parentOf(wideCopy)}/`) && pathFault(wideCopy) === undefined)
  })
})
