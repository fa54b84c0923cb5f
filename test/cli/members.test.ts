// shoal members and shoal log as text.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMembers, stateOf } from '../../src/cli/members.js'
import type { MemberStanding } from '../../src/control/schema-members.js'
import { member, share, standingsOf } from '../control/fake-backend.js'

const SINCE = '2026-11-20T18:02:03.000Z'
const report = standingsOf(share({ members: [member('nas')] }), { device: 'a'.repeat(64), name: 'laptop' })
const standing = (changes: Partial<MemberStanding>): MemberStanding => ({ ...report.members[0]!, ...changes })

test('members are a table below their folder and its head, this device first', () => {
  const gone = standing({
    name: 'ph\u001bone',
    connected: false,
    answered: null,
    confirmed: false,
    unreachableSince: SINCE,
  })
  assert.equal(
    formatMembers([{ share: 0, ...report, members: [...report.members, gone] }]),
    `/data/photos
  head  3f2a9c01:0102030405060708.17
  MEMBER       DEVICE    GRADE  STATE                                   HEAD        LAST SEEN
  laptop       aaaaaaaa  write  at rest (this device)                   17 records  now
  nas          6e617300  write  in sync                                 17 records  now
  ph\\u{1b}one  6e617300  write  unreachable since 2026-11-20T18:02:03Z  17 records  2026-11-20T18:02:03Z
`,
  )
})

test('how much a member who reads has read is not said of a blind device, which cannot tell', () => {
  const reader = standing({ name: 'reader', head: '3f2a9c01:' })
  const vault = standing({ name: 'vault', grade: 'blind' })
  const text = formatMembers([{ share: 0, ...report, grade: 'blind', members: [reader, vault] }])
  assert.match(text, /^ {2}reader .* - {2,}now$/m)
  assert.match(text, /^ {2}vault .* 17 records {2}now$/m)
})

const cases: [Partial<MemberStanding>, string][] = [
  [{}, 'in sync'],
  [{ unreachableSince: SINCE, confirmed: true }, 'unreachable since 2026-11-20T18:02:03Z'],
  [{ unreachableSince: SINCE, expired: true }, 'expired since 2026-11-20T18:02:03Z'],
  [{ unreachableSince: SINCE, lastSeen: null }, 'only heard of, last 2026-11-20T18:02:03Z'],
  [{ unreachableSince: SINCE, lastSeen: null, expired: true }, 'expired since 2026-11-20T18:02:03Z'],
  [{ confirmed: false, answered: null, digestEqual: true }, 'has not answered'],
  [{ confirmed: false, answered: 'working' }, 'looks at its disk'],
  [{ confirmed: false, answered: 'working', behind: 3 }, '3 records behind'],
  [{ confirmed: false, needFiles: 2, needBytes: 1024 }, '2 paths to do, 1.0 KiB'],
  [{ confirmed: false, drift: 1 }, '1 change of its own'],
  [{ confirmed: false, answered: 'unread' }, 'cannot read some of its disk'],
  [{ confirmed: false, answered: 'paused' }, 'paused'],
  [{ confirmed: false, answered: 'halted' }, 'halted'],
  [{ confirmed: false, ahead: 1 }, '1 record ahead'],
]
for (const [changes, says] of cases)
  test(`of a member it is said: ${says}`, () => assert.equal(stateOf(standing(changes)), says))
