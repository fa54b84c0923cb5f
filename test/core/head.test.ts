import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  behindBy,
  covers,
  formatHead,
  headTag,
  isEmptyHead,
  parseHead,
  sameViews,
} from '../../src/core/head.js'
import type { ShareId, WriterId } from '../../src/core/ids.js'
import type { FeedView } from '../../src/core/record-public.js'

const [A, B, C] = ['aa', 'bb', 'cc'].map((byte) => byte.repeat(8)) as [WriterId, WriterId, WriterId]
const SHARE = 'ab'.repeat(32) as ShareId

test('a head is read as it was written, feeds of no length left out', () => {
  const tag = headTag(SHARE)
  const text = formatHead(tag, [
    [A, 17],
    [B, 0],
    [C, 4],
  ])
  assert.equal(text, `${tag}:${A}.17,${C}.4`)
  assert.deepEqual(parseHead(text), {
    tag,
    view: [
      [A, 17],
      [C, 4],
    ],
  })
  assert.deepEqual(parseHead(`${tag}:`), { tag, view: [] })
  assert.deepEqual([text, `${tag}:`, formatHead(tag, [[A, 0]]), ''].map(isEmptyHead), [
    false,
    true,
    true,
    false,
  ])
  assert.notEqual(headTag('cd'.repeat(32) as ShareId), tag)
})

test('what is no head is refused: cut short, unordered, not canonical', () => {
  const tag = headTag(SHARE)
  const wrong = ['', tag, 'x', `${tag}:${A}`, `${tag}:${A}.0`, `${tag}:${A}.01`, `${tag}:${A}.1,`]
  wrong.push(`${tag}:${C}.1,${A}.1`, `${tag}:${A}.1,${A}.2`, `${tag}:${A}.9999999999999999`, ` ${tag}:`)
  for (const text of wrong) assert.throws(() => parseHead(text), { code: 'USAGE' }, text)
})

const cases: { a: FeedView; b: FeedView; behind: number; isSame: boolean }[] = [
  { a: [], b: [], behind: 0, isSame: true },
  { a: [[A, 1]], b: [], behind: 0, isSame: false },
  { a: [], b: [[A, 3]], behind: 3, isSame: false },
  { a: [[A, 0]], b: [], behind: 0, isSame: true },
  {
    a: [
      [A, 5],
      [B, 1],
    ],
    b: [
      [A, 3],
      [B, 4],
    ],
    behind: 3,
    isSame: false,
  },
]
test('views are compared feed by feed, and a feed that nobody can follow is nobody’s lack', () => {
  for (const { a, b, behind, isSame } of cases) {
    assert.equal(behindBy(a, b), behind)
    assert.equal(covers(a, b), behind === 0)
    assert.equal(sameViews(a, b), isSame)
  }
  assert.equal(sameViews([[A, 5]], [[B, 9]], new Set([A, B])), true)
  assert.equal(sameViews([[A, 5]], [[B, 9]], new Set([A])), false)
})
