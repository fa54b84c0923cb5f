// Section 10: what may be said of where everybody stands.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { MemberStanding, MembersReport } from '../../src/control/schema-members.js'
import { type Goal, verdictOf } from '../../src/control/verdict.js'
import { parseHead } from '../../src/core/head.js'
import { member, share, standingsOf } from './fake-backend.js'

const HEAD = '3f2a9c01:0102030405060708.17'
const MORE = '3f2a9c01:0102030405060708.18'
const OTHER = '00000000:0102030405060708.1'
const SELF = { device: 'a'.repeat(64), name: 'laptop' }

function report(changes: Partial<MembersReport> = {}, ...members: Partial<MemberStanding>[]): MembersReport {
  const base = standingsOf(share({ members: [member('nas')] }), SELF)
  const list = members.map((each) => ({ ...base.members[0]!, ...each }))
  return { share: 0, ...base, members: members.length === 0 ? base.members : list, ...changes }
}

const AWAY = {
  connected: false,
  answered: null,
  confirmed: false,
  unreachableSince: '2026-11-20T18:02:03.000Z',
}
const cases: { name: string; reports: MembersReport[]; goal?: Goal; type: string; because?: RegExp }[] = [
  { name: 'all have answered that they hold the same', reports: [report()], type: 'in-sync' },
  { name: 'no shares', reports: [], type: 'behind', because: /no share/ },
  {
    name: 'a state that shows our digest is no answer',
    reports: [report({}, { confirmed: false, answered: null, digestEqual: true })],
    type: 'behind',
    because: /^nas \(has not answered\)$/,
  },
  {
    name: 'this device lacks something, and a member is away that may be the only one to have it',
    reports: [report({ needFiles: 1 }, AWAY)],
    type: 'behind',
    because: /^this device, nas \(.+\) cannot be reached$/,
  },
  {
    name: 'an answer at rest with another state than the newest',
    reports: [report({}, { confirmed: false, answered: 'at-rest' })],
    type: 'behind',
    because: /^nas$/,
  },
  {
    name: 'this device has not looked at its disk since',
    reports: [report({ confirmed: false })],
    type: 'behind',
    because: /^this device, which is still reading its disk$/,
  },
  {
    name: 'this device is blind, and knows nothing of the share yet, as far as can be told before its vault is open',
    reports: [report({ confirmed: false, grade: 'blind', head: '3f2a9c01:', members: [] })],
    type: 'behind',
    because: /^this device, which has read nothing of the share yet, or has not opened its vault$/,
  },
  {
    name: 'this device reads, and knows nothing of the share yet',
    reports: [report({ confirmed: false, grade: 'read', head: '3f2a9c01:', members: [] })],
    type: 'behind',
    because: /^this device, which has read nothing of the share yet$/,
  },
  {
    name: 'this device is the first to write, and has nothing yet',
    reports: [report({ confirmed: true, grade: 'write', head: '3f2a9c01:', members: [] })],
    type: 'in-sync',
  },
  {
    name: 'this device cannot read a file of its own',
    reports: [report({ confirmed: false, standing: 'unread' })],
    type: 'behind',
    because: /cannot read some of its disk/,
  },
  {
    name: 'a member that cannot read some of its disk',
    reports: [report({}, { confirmed: false, answered: 'unread' })],
    type: 'behind',
    because: /^nas \(cannot read/,
  },
  {
    name: 'a member that is met through others and confirms',
    reports: [report({}, { connected: false })],
    type: 'in-sync',
  },
  {
    name: 'one that is away',
    reports: [report({}, AWAY)],
    type: 'unreachable',
    because: /^nas \(6e617300\)$/,
  },
  {
    name: 'one that is away never counts, whatever its last state said',
    reports: [report({}, { ...AWAY, digestEqual: true })],
    type: 'unreachable',
  },
  { name: 'a paused share', reports: [report({ standing: 'paused' })], type: 'behind', because: /paused/ },
  {
    name: 'one of two shares is behind',
    reports: [report(), report({ dir: '/b', confirmed: false })],
    type: 'behind',
    because: / in \/b$/,
  },
  {
    name: 'so many are enough',
    reports: [report({}, {}, AWAY)],
    goal: { members: 1 },
    type: 'in-sync',
  },
  {
    name: 'so many are not there',
    reports: [report()],
    goal: { members: 2 },
    type: 'unreachable',
    because: /^1 of 2 members$/,
  },
  {
    name: 'expired members do not make up the number',
    reports: [report({}, { ...AWAY, expired: true })],
    goal: { members: 1 },
    type: 'unreachable',
  },
  {
    name: 'a head: those who are beyond it hold it, and need not be at rest',
    reports: [
      report({ head: MORE, confirmed: false }, { head: MORE, answered: 'working', confirmed: false }),
    ],
    goal: { at: parseHead(HEAD) },
    type: 'in-sync',
  },
  {
    name: 'a head that a member has not read yet',
    reports: [report({ head: MORE }, { head: HEAD })],
    goal: { at: parseHead(MORE) },
    type: 'behind',
    because: /^nas$/,
  },
  {
    name: 'a head that a member has read and not applied',
    reports: [report({}, { head: HEAD, needFiles: 2 })],
    goal: { at: parseHead(HEAD) },
    type: 'behind',
    because: /^nas \(2 paths to do\)$/,
  },
  {
    name: 'a head that is not read here yet',
    reports: [report()],
    goal: { at: parseHead(MORE) },
    type: 'behind',
    because: /^this device, nas$/,
  },
  {
    name: 'a head that a member held before it went',
    reports: [report({}, { ...AWAY, head: MORE })],
    goal: { at: parseHead(HEAD) },
    type: 'unreachable',
  },
  {
    name: 'a head of another share',
    reports: [report()],
    goal: { at: parseHead(OTHER) },
    type: 'behind',
    because: /no share that the head is of/,
  },
  {
    name: 'a head of one of two shares: the other does not matter',
    reports: [report({ head: OTHER, confirmed: false, needFiles: 3 }), report()],
    goal: { at: parseHead(HEAD) },
    type: 'in-sync',
  },
]

for (const { name, reports, goal, type, because } of cases)
  test(`section 10: ${name}: ${type}`, () => {
    const verdict = verdictOf(reports, goal)
    assert.equal(verdict.type, type, verdict.because.join())
    if (because !== undefined) assert.match(verdict.because.join(', '), because)
    assert.equal(verdict.type === 'in-sync', verdict.because.length === 0)
  })
