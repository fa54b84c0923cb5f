import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DiskGuard } from '../../../src/daemon/share/disk-guard.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { path } from '../../support/arbitraries.js'

const [a, b] = [path('a'), path('b')]

test('A9: what is being committed, or was since a look began, is left to the next look', () => {
  const guard = new DiskGuard()
  const look = guard.startLook()
  assert.equal(guard.isDisturbed(a, look), false)
  guard.startCommit([a])
  assert.equal(guard.isDisturbed(a, look), true)
  assert.equal(guard.isDisturbed(b, look), false)
  guard.endCommit([a])
  assert.equal(guard.isDisturbed(a, look), true)
  const later = guard.startLook()
  assert.equal(guard.isDisturbed(a, later), false)
  guard.endLook(look)
  assert.equal(guard.isDisturbed(a, later), false)
  guard.endLook(later)
})

test('A9: a commit that spans the beginning of a look disturbs it', () => {
  const guard = new DiskGuard()
  guard.startCommit([a])
  const look = guard.startLook()
  guard.endCommit([a])
  assert.equal(guard.isDisturbed(a, look), true)
  guard.endLook(look)
})

test('A9: an earlier look that ends forgets nothing that a later one needs', () => {
  const guard = new DiskGuard()
  const early = guard.startLook()
  const late = guard.startLook()
  guard.startCommit([a, b])
  guard.endCommit([a, b])
  guard.endLook(early)
  assert.equal(guard.isDisturbed(a, late), true)
  assert.equal(guard.isDisturbed(b, late), true)
  guard.endLook(late)
})

test('A6: problems are kept by who said so, with the time since when, until that one takes them back', () => {
  let now = 5
  const book = new ProblemBook(() => now)
  book.set('apply', 'a', 'EACCES', 'no')
  now = 9
  book.set('apply', 'a', 'EACCES', 'still no')
  book.set('scan', 'a', 'BUSY', 'open')
  assert.deepEqual(book.list(), [
    { path: 'a', code: 'EACCES', detail: 'still no', sinceMs: 5 },
    { path: 'a', code: 'BUSY', detail: 'open', sinceMs: 9 },
  ])
  book.clear('scan', 'a')
  now = 12
  book.set('apply', 'a', 'ENOSPC', 'full')
  assert.deepEqual(book.list(), [{ path: 'a', code: 'ENOSPC', detail: 'full', sinceMs: 12 }])
})

test('A7: a new listing replaces what was said of the names right inside its directory, nothing else', () => {
  const book = new ProblemBook(() => 0)
  book.replaceChildren('scan', '', [{ name: 'pipe', code: 'NOT_CARRIED', detail: 'fifo' }])
  book.replaceChildren('scan', 'd', [
    { name: 'x', code: 'NOT_CARRIED', detail: 'socket' },
    { name: 'y', code: 'NOT_UTF8', detail: 'name' },
  ])
  book.set('scan', 'd/e/z', 'BUSY', 'open')
  book.replaceChildren('scan', 'd', [{ name: 'y', code: 'NOT_UTF8', detail: 'name' }])
  assert.deepEqual(
    book.list().map(({ path: at }) => at),
    ['pipe', 'd/y', 'd/e/z'],
  )
  book.replaceChildren('scan', '', [])
  assert.equal(book.size, 2)
})
