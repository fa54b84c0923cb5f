import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSENT, type Fact, factOf } from '../../src/core/fact.js'
import { type Applied, type Intent, judge, type LocalOutcome, NOTHING_APPLIED } from '../../src/core/local.js'
import type { Effective } from '../../src/core/tree.js'
import { NO_VERSION, type Version } from '../../src/core/version.js'
import { directory, file, path, symlink, vector } from '../support/arbitraries.js'

const v1 = vector({ 1: 1 })
const v2 = vector({ 1: 1, 2: 1 })
const v3 = vector({ 1: 1, 2: 1, 3: 1 })
const one = factOf(file({ 1: 1 }, 'one'))
const two = factOf(file({ 1: 1 }, 'two'))
const three = factOf(file({ 1: 1 }, 'three'))
const oneTouched = factOf(file({ 1: 1 }, 'one', { mtimeUs: 2000 }))
const oneChanged = factOf(file({ 1: 1 }, 'one', { mtimeUs: 2000, mode: 0o600 }))
const oneHalfChanged = factOf(file({ 1: 1 }, 'one', { mtimeUs: 1000, mode: 0o600 }))
const folder = factOf(directory({ 1: 1 }))
const folderTouched = factOf(directory({ 1: 1 }, { mtimeUs: 2000 }))
const folderLocked = factOf(directory({ 1: 1 }, { mtimeUs: 2000, mode: 0o500 }))
const link = factOf(symlink({ 1: 1 }, 'there'))

const applied = (fact: Fact, version: Version = v1): Applied => ({ version, fact })
const share = (fact: Fact, version: Version = v1): Effective => ({ fact, version, entry: undefined })
const intend = (fact: Fact, version: Version): Intent[] => [{ fact, version }]
const publish = (fact: Fact, base: Version = v1, was?: { mode: number; mtimeUs: number }): LocalOutcome => ({
  type: 'publish',
  draft: { path: path('f'), base, fact, origin: undefined, was: was && { ...was, extra: [] } },
})
const adopt = (fact: Fact, version: Version): LocalOutcome => ({ type: 'adopt', applied: { fact, version } })

interface Case {
  readonly name: string
  readonly observed: Fact
  readonly applied: Applied
  readonly share: Effective
  readonly intents?: readonly Intent[]
  readonly reader?: true
  readonly expect: LocalOutcome
}

const cases: Case[] = [
  {
    name: 'A9 what we put there is no change',
    observed: one,
    applied: applied(one),
    share: share(one),
    expect: { type: 'unchanged' },
  },
  {
    name: 'an old version that waits to be replaced is no change',
    observed: one,
    applied: applied(one),
    share: share(two, v2),
    expect: { type: 'unchanged' },
  },
  {
    name: 'V1 an edit starts from what is on disk',
    observed: two,
    applied: applied(one),
    share: share(one),
    expect: publish(two),
  },
  {
    name: 'V1 also when the share has moved on',
    observed: two,
    applied: applied(one),
    share: share(three, v3),
    expect: publish(two),
  },
  {
    name: 'V1 a new file starts from nothing',
    observed: two,
    applied: NOTHING_APPLIED,
    share: share(one),
    expect: publish(two, NO_VERSION),
  },
  {
    name: 'V1 a deletion starts from what was on disk',
    observed: ABSENT,
    applied: applied(one),
    share: share(three, v3),
    expect: publish(ABSENT),
  },
  {
    name: 'a touched file is a change',
    observed: oneTouched,
    applied: applied(one),
    share: share(one),
    expect: publish(oneTouched),
  },
  {
    name: 'a change of metadata alone is not undone by content of the share',
    observed: oneChanged,
    applied: applied(one),
    share: share(oneTouched, v2),
    expect: publish(oneChanged),
  },
  {
    name: 'V4 a deleted directory is remembered',
    observed: ABSENT,
    applied: applied(folder),
    share: share(folder),
    expect: publish(ABSENT, v1, { mode: 0o755, mtimeUs: 1000 }),
  },
  {
    name: 'a directory that a file replaced',
    observed: one,
    applied: applied(folder),
    share: share(folder),
    expect: publish(one),
  },
  {
    name: "A4 on a first look, equal content is the share's",
    observed: one,
    applied: NOTHING_APPLIED,
    share: share(one, v2),
    expect: adopt(one, v2),
  },
  {
    name: 'A4 even with other metadata',
    observed: oneChanged,
    applied: NOTHING_APPLIED,
    share: share(one, v2),
    expect: adopt(oneChanged, v2),
  },
  {
    name: 'A4 a directory that is there already',
    observed: folderTouched,
    applied: NOTHING_APPLIED,
    share: share(folder, v2),
    expect: adopt(folderTouched, v2),
  },
  {
    name: 'A4 a link that is there already',
    observed: link,
    applied: NOTHING_APPLIED,
    share: share(link, v2),
    expect: adopt(link, v2),
  },
  {
    name: 'both deleted it',
    observed: ABSENT,
    applied: applied(one),
    share: share(ABSENT, v2),
    expect: adopt(ABSENT, v2),
  },
  {
    name: 'both made the same edit',
    observed: two,
    applied: applied(one),
    share: share(two, v2),
    expect: adopt(two, v2),
  },
  {
    name: 'A4 what an interrupted apply left, though the share moved on',
    observed: two,
    applied: applied(one),
    share: share(three, v3),
    intents: intend(two, v2),
    expect: adopt(two, v2),
  },
  {
    name: 'A4 also a removal',
    observed: ABSENT,
    applied: applied(one),
    share: share(three, v3),
    intents: intend(ABSENT, v2),
    expect: adopt(ABSENT, v2),
  },
  {
    name: 'A4 also metadata, half set',
    observed: oneHalfChanged,
    applied: applied(one),
    share: share(three, v3),
    intents: intend(oneChanged, v2),
    expect: adopt(oneHalfChanged, v2),
  },
  {
    name: 'A4 but not metadata that neither had',
    observed: factOf(file({ 1: 1 }, 'one', { mode: 0o640 })),
    applied: applied(one),
    share: share(oneChanged, v2),
    intents: intend(oneChanged, v2),
    expect: publish(factOf(file({ 1: 1 }, 'one', { mode: 0o640 }))),
  },
  {
    name: 'A4 a directory just made, times and all still to come',
    observed: folderLocked,
    applied: NOTHING_APPLIED,
    share: share(ABSENT, v3),
    intents: intend(folder, v2),
    expect: adopt(folderLocked, v2),
  },
  {
    name: 'A4 a directory whose children we were changing',
    observed: folderTouched,
    applied: applied(folder),
    share: share(folder),
    intents: intend(folder, v1),
    expect: adopt(folderTouched, v1),
  },
  {
    name: "A4 but a user's chmod of it is a change",
    observed: folderLocked,
    applied: applied(folder),
    share: share(folder),
    intents: intend(folder, v1),
    expect: publish(folderLocked),
  },
  {
    name: 'A4 what an apply left, though its path was taken for a newer version meanwhile',
    observed: two,
    applied: applied(one, v3),
    share: share(one, v3),
    intents: intend(two, v2),
    expect: adopt(two, v2),
  },
  {
    name: 'A4 nothing, between a directory and what was to replace it',
    observed: ABSENT,
    applied: applied(folder),
    share: share(three, v3),
    intents: intend(two, v2),
    expect: adopt(ABSENT, v2),
  },
  {
    name: 'A4 but a file is replaced in one step, so that its absence is a deletion',
    observed: ABSENT,
    applied: applied(one),
    share: share(two, v2),
    intents: intend(two, v2),
    expect: publish(ABSENT),
  },
  {
    name: 'A4 an apply that never happened',
    observed: one,
    applied: applied(one),
    share: share(two, v2),
    intents: intend(two, v2),
    expect: { type: 'unchanged' },
  },
  {
    name: 'A4 an edit after the crash',
    observed: three,
    applied: applied(one),
    share: share(two, v2),
    intents: intend(two, v2),
    expect: publish(three),
  },
  {
    name: "a reader's edit is drift",
    reader: true,
    observed: two,
    applied: applied(one),
    share: share(one),
    expect: { type: 'drift', kinds: ['content'] },
  },
  {
    name: "a reader's deletion",
    reader: true,
    observed: ABSENT,
    applied: applied(one),
    share: share(one),
    expect: { type: 'drift', kinds: ['missing'] },
  },
  {
    name: "a reader's own file",
    reader: true,
    observed: two,
    applied: NOTHING_APPLIED,
    share: share(ABSENT),
    expect: { type: 'drift', kinds: ['extra'] },
  },
  {
    name: "a reader's touch is drift: the times of files are the share's, and digests tell them apart",
    reader: true,
    observed: oneTouched,
    applied: applied(one),
    share: share(one),
    expect: { type: 'drift', kinds: ['mtime'] },
  },
  {
    name: 'metadata that the share has not stated is no drift',
    reader: true,
    observed: { ...one, extra: [[1, Buffer.from('me')]] } as Fact,
    applied: applied(one),
    share: share(one),
    expect: { type: 'unchanged' },
  },
  {
    name: "a reader's chmod",
    reader: true,
    observed: oneChanged,
    applied: applied(one),
    share: share(one),
    expect: { type: 'drift', kinds: ['mode', 'mtime'] },
  },
  {
    name: "a reader's change of type",
    reader: true,
    observed: link,
    applied: applied(one),
    share: share(one),
    expect: { type: 'drift', kinds: ['type'] },
  },
  {
    name: "a reader's edit of what the share deleted",
    reader: true,
    observed: two,
    applied: applied(one),
    share: share(ABSENT, v2),
    expect: { type: 'drift', kinds: ['content'] },
  },
  {
    name: 'a reader adopts what the share says',
    reader: true,
    observed: two,
    applied: applied(one),
    share: share(two, v2),
    expect: adopt(two, v2),
  },
  {
    name: "times of a reader's directories are put back, not drift",
    reader: true,
    observed: folderTouched,
    applied: applied(folder),
    share: share(folder),
    expect: adopt(folderTouched, v1),
  },
  {
    name: "a reader's chmod of a directory is drift",
    reader: true,
    observed: folderLocked,
    applied: applied(folder),
    share: share(folder),
    expect: { type: 'drift', kinds: ['mode'] },
  },
]

describe('what a look at the disk means', () => {
  for (const { name, expect, reader, intents = [], ...look } of cases) {
    it(name, () => {
      assert.deepEqual(judge({ ...look, path: path('f'), intents, writer: reader !== true }), expect)
    })
  }
})
