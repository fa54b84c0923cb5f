import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSENT, type Fact, factOf } from '../../src/core/fact.js'
import { phaseOf, type Step, stepFor } from '../../src/core/plan.js'
import { directory, file, symlink, vector } from '../support/arbitraries.js'

const one = factOf(file({ 1: 1 }, 'one'))
const oneTouched = factOf(file({ 1: 1 }, 'one', { mtimeUs: 2 }))
const two = factOf(file({ 1: 1 }, 'two'))
const folder = factOf(directory({ 1: 1 }))
const folderTouched = factOf(directory({ 1: 1 }, { mtimeUs: 2 }))
const link = factOf(symlink({ 1: 1 }, 'there'))
const v1 = vector({ 1: 1 })
const v2 = vector({ 1: 2 })

describe('the step that a path needs', () => {
  const cases: { name: string; share: Fact; applied: Fact; newer?: true; expect: Step }[] = [
    { name: 'nothing, when all is equal', share: one, applied: one, expect: { type: 'none' } },
    {
      name: 'only knowledge, when the disk is right',
      share: one,
      applied: one,
      newer: true,
      expect: { type: 'adopt' },
    },
    {
      name: 'only knowledge, when both are gone',
      share: ABSENT,
      applied: ABSENT,
      newer: true,
      expect: { type: 'adopt' },
    },
    { name: 'metadata', share: oneTouched, applied: one, expect: { type: 'metadata', fact: oneTouched } },
    {
      name: 'metadata of a directory',
      share: folderTouched,
      applied: folder,
      expect: { type: 'metadata', fact: folderTouched },
    },
    { name: 'content', share: two, applied: one, expect: { type: 'write', fact: two } },
    { name: 'a new file', share: two, applied: ABSENT, expect: { type: 'write', fact: two } },
    { name: 'a file for a directory', share: two, applied: folder, expect: { type: 'write', fact: two } },
    { name: 'a link for a file', share: link, applied: one, expect: { type: 'symlink', fact: link } },
    { name: 'a directory for a file', share: folder, applied: one, expect: { type: 'mkdir', fact: folder } },
    { name: 'a removal', share: ABSENT, applied: one, expect: { type: 'remove', was: 'file' } },
    {
      name: 'a removal of a directory',
      share: ABSENT,
      applied: folder,
      expect: { type: 'remove', was: 'directory' },
    },
  ] as never
  for (const { name, share, applied, newer, expect } of cases) {
    it(name, () => {
      const step = stepFor(
        { fact: share, version: newer ? v2 : v1, entry: undefined },
        { fact: applied, version: v1 },
      )
      assert.deepEqual(step, expect)
    })
  }

  it('directories come top down, then contents, then removals bottom up, then times of directories bottom up', () => {
    const mkdir = { type: 'mkdir', fact: folder } as Step
    const write = { type: 'write', fact: one } as Step
    const remove = { type: 'remove', was: 'file' } as Step
    const times = { type: 'metadata', fact: folder } as Step
    const order = [
      phaseOf(mkdir, 0),
      phaseOf(mkdir, 1899),
      phaseOf(write, 0),
      phaseOf(remove, 1899),
      phaseOf(remove, 0),
      phaseOf(times, 1899),
      phaseOf(times, 0),
    ]
    assert.deepEqual(
      order,
      [...order].sort((a, b) => a - b),
    )
    assert.equal(new Set(order).size, order.length)
    for (const type of ['none', 'adopt'] as const) assert.equal(phaseOf({ type }, 5), phaseOf(write, 3))
    assert.equal(phaseOf({ type: 'metadata', fact: one } as Step, 1), phaseOf(write, 1))
  })
})
