import assert from 'node:assert/strict'
import fs from 'node:fs'
import { afterEach, beforeEach, test } from 'node:test'
import fc from 'fast-check'
import { Archive } from '../../src/folder/archive.js'
import { suffixedName, takeFirstFree } from '../../src/folder/archive-name.js'
import { SafeRoot } from '../../src/folder/safefs.js'
import { AT_MS, DAY, Share } from './commit-kit.js'

let share: Share
let root: SafeRoot

beforeEach(() => {
  share = new Share()
  root = new SafeRoot(share.root)
})

afterEach(() => {
  root.close()
  share.remove()
})

test('names with a number fit a file system and stay UTF-8', () => {
  assert.equal(suffixedName('a.txt', 1), 'a.txt')
  assert.equal(suffixedName('a.txt', 12), 'a.txt~12')
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }).filter((text) => {
    return Buffer.byteLength(text) <= 255 && text.isWellFormed()
  })
  fc.assert(
    fc.property(name, fc.integer({ min: 2, max: 1e9 }), (text, count) => {
      const suffixed = suffixedName(text, count)
      assert.ok(Buffer.byteLength(suffixed) <= 255)
      assert.ok(suffixed.endsWith(`~${count}`))
      assert.ok(text.startsWith(suffixed.slice(0, -`~${count}`.length)))
    }),
  )
})

test('the first free name is found without looking at all that are taken', () => {
  for (const taken of [0, 1, 3, 4, 5, 100, 100_000]) {
    let looks = 0
    const take = (count: number): boolean => ++looks > 0 && count > taken
    const exists = (count: number): boolean => ++looks > 0 && count <= taken
    assert.equal(takeFirstFree(take, exists), taken + 1)
    assert.ok(looks < 50, `${looks} looks`)
  }
})

test('a name that another takes at the last moment is passed by', () => {
  const lost = new Set([1, 2, 3, 4, 8, 9])
  assert.equal(
    takeFirstFree(
      (count) => !lost.has(count),
      (count) => count < 8,
    ),
    10,
  )
})

test('holds never hit each other, whatever the names', () => {
  const touched = new Set<string>()
  const archives = [new Archive(root, true, AT_MS, touched), new Archive(root, true, AT_MS, touched)]
  const held = new Set<string>()
  for (const path of ['a', 'a~2', 'a', 'a/b', 'a', 'a~2/b', 'a/b', 'b/c', 'b', 'b/c'])
    for (const archive of archives) {
      const at = archive.reserve(path)
      assert.ok(!held.has(at), at)
      held.add(at)
      assert.ok(share.exists(at))
    }
  assert.ok(touched.has(`.shoal/archive/${DAY}`))
  assert.equal([...share.files('.shoal/archive')].length, 20)
  assert.equal(share.stat(`.shoal/archive/${DAY}`).mode, 0o700)
})

test('a directory of the share finds a place beside a file that has its name', () => {
  const archive = new Archive(root, true, AT_MS, new Set())
  assert.equal(archive.reserve('x'), `.shoal/archive/${DAY}/x`)
  assert.equal(archive.reserve('x/y/z'), `.shoal/archive/${DAY}/x~2/y/z`)
  fs.symlinkSync('/tmp', share.at(`.shoal/archive/${DAY}/s`))
  assert.equal(archive.reserve('s/t'), `.shoal/archive/${DAY}/s~2/t`)
})

test('without an archive a hold is in the staging area and does not stay', () => {
  const archive = new Archive(root, false, AT_MS, new Set())
  const at = archive.reserve('a/b')
  assert.match(at, /^\.shoal\/staging\/held-/)
  assert.notEqual(archive.reserve('a/b'), at)
  assert.equal(archive.settle(at), undefined)
  assert.equal(share.exists(at), false)
  assert.deepEqual(fs.readdirSync(share.at('.shoal/archive')), [])
})
