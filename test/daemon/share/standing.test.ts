// When a device may say to be at rest (C1), and what keeps it from that.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import { type StandingParts, standingOf } from '../../../src/daemon/share/share-inquiries.js'

const REST: StandingParts = {
  state: 'idle',
  scanner: { hasScanned: true, isAtRest: true },
  feeds: { isBehind: false },
  problems: { unread: 0 },
}

const cases: [string, Partial<StandingParts>, string][] = [
  ['nothing is to be done', {}, 'at-rest'],
  ['a share that syncs', { state: 'syncing' }, 'working'],
  ['a share that scans', { state: 'scanning' }, 'working'],
  [
    'the disk was not looked through since the start',
    { scanner: { hasScanned: false, isAtRest: true } },
    'working',
  ],
  ['something is to be looked at', { scanner: { hasScanned: true, isAtRest: false } }, 'working'],
  ['a feed goes on beyond what is taken over', { feeds: { isBehind: true } }, 'working'],
  ['a file cannot be read', { problems: { unread: 1 } }, 'unread'],
  ['a halted share', { state: 'halted' }, 'halted'],
  ['a paused share', { state: 'paused' }, 'paused'],
]
for (const [name, parts, expected] of cases)
  test(`${name}: ${expected}`, () => assert.equal(standingOf({ ...REST, ...parts }), expected))

test('what is not carried is known as it is; what cannot be read is not', () => {
  const book = new ProblemBook(() => 0)
  book.set('scan', 'pipe', 'NOT_CARRIED', 'fifo')
  book.set('scan', '.shoalignore', 'IGNORE_RULE', 'line 1')
  book.set('attributes', 'acl', 'EACCES', 'its ACL')
  book.set('apply', 'wanted', 'ENOSPC', 'full')
  assert.equal(book.unread, 0)
  book.set('scan', 'locked', 'EACCES', 'permission denied')
  book.replaceChildren('scan', 'd', [{ name: 'bad', code: 'UNREADABLE', detail: 'EIO' }])
  assert.equal(book.unread, 2)
  book.clear('scan', 'locked')
  assert.equal(book.unread, 1)
})
