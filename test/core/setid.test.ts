import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSENT, type Fact, type FileFact } from '../../src/core/fact.js'
import { modeToSet, withheldBits, withWithheld } from '../../src/core/setid.js'
import type { DiskStat } from '../../src/core/stat.js'

const file = (mode: number, over: Partial<FileFact> = {}): FileFact => {
  return { type: 'file', mode, mtimeUs: 1, size: 1, content: Buffer.alloc(32, 1), extra: [], ...over }
}
const directory = (mode: number): Fact & { type: 'directory' } => {
  return { type: 'directory', mode, mtimeUs: 1, extra: [] }
}
const statOf = (mode: number): DiskStat => {
  return { type: 'file', mode, size: 1, mtimeMs: 1, ctimeMs: 1, ino: 1, dev: 1, nlink: 1, uid: 0, gid: 0 }
}
const OTHER = { content: Buffer.alloc(32, 2) }

describe('set-user-id and set-group-id under a daemon that withholds them', () => {
  it('files do not get the bits, unless they have them already; directories and sticky files do', () => {
    assert.equal(modeToSet(file(0o7755), true), 0o1755)
    assert.equal(modeToSet(file(0o7755), false), 0o7755)
    assert.equal(modeToSet(file(0o6755), true, 0o4700), 0o4755)
    assert.equal(modeToSet(file(0o755), true, 0o6755), 0o755)
    assert.equal(modeToSet(directory(0o3775), true), 0o3775)
    assert.equal(withheldBits(file(0o6755), statOf(0o2755)), 0o4000)
    assert.equal(withheldBits(file(0o4755), undefined), 0)
    assert.equal(withheldBits(directory(0o2755), statOf(0o755)), 0)
  })

  const cases: {
    name: string
    observed: Fact
    held: Fact
    stat: DiskStat | undefined
    known?: Fact[]
    withholds?: boolean
    mode: number
  }[] = [
    {
      name: 'what was withheld does not count as gone',
      observed: file(0o755, { mtimeUs: 2 }),
      held: file(0o4755),
      stat: statOf(0o755),
      mode: 0o4755,
    },
    {
      name: 'nor under a daemon that is not root any more',
      observed: file(0o755),
      held: file(0o4755),
      stat: statOf(0o755),
      withholds: false,
      mode: 0o4755,
    },
    {
      name: 'other bits that a user changes are a change',
      observed: file(0o700),
      held: file(0o4755),
      stat: statOf(0o755),
      mode: 0o4700,
    },
    {
      name: 'a bit that was there and is taken away is a change',
      observed: file(0o755),
      held: file(0o4755),
      stat: statOf(0o4755),
      known: [file(0o4755)],
      mode: 0o755,
    },
    {
      name: 'a bit that a user sets is a change',
      observed: file(0o4755),
      held: file(0o755),
      stat: statOf(0o755),
      mode: 0o4755,
    },
    {
      name: 'a new content has the bits that it shows',
      observed: file(0o755, OTHER),
      held: file(0o4755),
      stat: statOf(0o755),
      mode: 0o755,
    },
    {
      name: 'what an interrupted apply has put there is known with its bits',
      observed: file(0o755, OTHER),
      held: ABSENT,
      stat: undefined,
      known: [file(0o644, OTHER), file(0o6755, OTHER)],
      mode: 0o6755,
    },
    {
      name: 'but not by a daemon that withholds none',
      observed: file(0o755, OTHER),
      held: ABSENT,
      stat: undefined,
      known: [file(0o6755, OTHER)],
      withholds: false,
      mode: 0o755,
    },
    {
      name: 'without a stat, they may have been withheld',
      observed: file(0o755),
      held: file(0o4755),
      stat: undefined,
      mode: 0o4755,
    },
  ]
  for (const { name, observed, held, stat, known = [], withholds = true, mode } of cases)
    it(name, () => {
      const fact = withWithheld(observed, held, stat, known, withholds)
      assert.deepEqual(fact, { ...observed, mode })
    })
})
