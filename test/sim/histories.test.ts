// The simulator over the true rules: whatever happens, no bytes are lost, nothing is invented, and all end alike.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { TRUE_RULES } from './rules.js'
import { runHistory } from './world.js'

const HISTORIES = 1500
/** Each with a blind node that looks at all of it again and again. */
const POINTED = 150

/** Seeds that found something while the rules were made; what each found stands in the core's and the store's tests. */
const FINDINGS: readonly (readonly [seed: number, what: string])[] = [
  [24, 'V5: the only copy of a version that lost was replaced before anybody had settled the conflict'],
  [852, 'A3: what had been staged was applied after the user had made another version the newest'],
  [1300, "a change of metadata was applied to a file that had drifted, which then counted as the share's"],
  [1342, 'A4: a directory made to settle a conflict was taken for one that the disk had held'],
  [1409, 'A4: what an interrupted apply had left was announced, since its path counted as a newer version'],
  [3228, 'V6: a directory made in place of a link brought the link back as a conflict copy'],
  [10418, 'V5: a link that lost was not kept like a file'],
  [17036, 'P3: the copy of a version was taken back while it was being put at its place'],
  [2001688, "A9: a user's xattr of a directory in which a batch was at work was never seen"],
  [2007869, "A9: a user's ACL of a directory that was just made was taken for ours"],
  [309091138, 'a mode that a user left without the ACL was widened to the one with it'],
  [501130, 'a mode that a user set where no ACLs are carried was taken for a wrong one of ours'],
  [5000921, 'the same of a file that a user renamed to where one with an ACL was'],
  [21838, 'A4: the moment between a directory and the file in its place was announced as a deletion'],
  [12677, 'P3: a move and the file in the place of the directory that it needed waited for each other'],
  [4553, 'A4: an owner that nobody had stated was announced because an apply was cut off'],
  [18805, "A4: a settlement in another's name was taken for what the disk had held"],
  [62542, 'A4: bits that a metadata apply had left out were announced as taken away after a crash'],
  [49264, 'a file was announced in the place of a directory whose content was back by then'],
  [53208, 'an owner that an apply which was cut off had set was taken for made up'],
  [126067, 'the time of a directory whose metadata could not be set was not put back'],
  [35483, 'the same: it was given the time of those metadata'],
  [54460, 'an ACL was set and the mode that it says was not'],
]

/** The same, of histories with checkpoints. */
const POINTED_FINDINGS: typeof FINDINGS = [
  [503, "an owner of ours that a simulated apply had left half set was taken for a user's"],
  [3987, 'a write into a file on its way to another name was owed under the old one'],
  [2777, 'a mode that a user set where ACLs cannot be was taken for a wrong one of ours'],
  [
    7380,
    'A4: a directory that took the name of a file and was deleted in a crash came back, in the way of a new file',
  ],
]

function holds(seed: number, checkpoints = false): void {
  const { faults } = runHistory({ seed, rules: TRUE_RULES, checkpoints })
  const option = checkpoints ? ' --checkpoints' : ''
  assert.deepEqual(faults, [], `replay it with: npm run sim -- --seed ${seed}${option}`)
}

describe('simulated histories', () => {
  it(`${HISTORIES} of them end well`, () => {
    for (let seed = 1; seed <= HISTORIES; seed++) holds(seed)
  })

  it('new ones end well, too', () => {
    const first = Date.now() % 1_000_000_000
    for (let seed = first; seed < first + 200; seed++) holds(seed)
  })

  it(`${POINTED} of them with checkpoints, who begins at them, and a blind node that drops pieces end well`, () => {
    let dropped = 0
    for (let seed = 1; seed <= POINTED; seed++) {
      const outcome = runHistory({ seed, rules: TRUE_RULES, checkpoints: true })
      assert.deepEqual(outcome.faults, [], `replay it with: npm run sim -- --seed ${seed} --checkpoints`)
      dropped += outcome.dropped
    }
    assert.ok(dropped > POINTED / 5, `${dropped} pieces dropped`)
  })

  for (const [seed, what] of FINDINGS) it(`seed ${seed} ends well: ${what}`, () => holds(seed))
  for (const [seed, what] of POINTED_FINDINGS)
    it(`seed ${seed} with checkpoints ends well: ${what}`, () => holds(seed, true))

  it('one seed is one history, event by event', () => {
    const run = () => runHistory({ seed: 7, rules: TRUE_RULES, verbose: true })
    const first = run()
    assert.ok(first.events.length > 20)
    assert.deepEqual(run(), first)
  })
})
