import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ABSENT } from '../../../src/core/fact.js'
import type { DiskStat } from '../../../src/core/stat.js'
import type { Version } from '../../../src/core/version.js'
import { archiveChoice } from '../../../src/daemon/share/versioning.js'
import type { DiskRow } from '../../../src/store/rows.js'
import { fileFact, ME, OTHER } from './support.js'

const OLD: Version = [[ME, 1]]
const NEWER: Version = [
  [ME, 1],
  [OTHER, 1],
]
const APART: Version = [[OTHER, 1]]
const FACT = fileFact([1])
const STAT: DiskStat = {
  ...{
    type: 'file',
    mode: 0o644,
    size: FACT.size,
    mtimeMs: 0,
    ctimeMs: 0,
    ino: 1,
    dev: 1,
    nlink: 1,
    uid: 0,
    gid: 0,
  },
}
const ROW: DiskRow = { applied: { version: OLD, fact: FACT }, stat: STAT, drift: undefined }
const SMALL = { archive: true, maxBytes: FACT.size - 1 }

const cases: {
  readonly name: string
  readonly row: DiskRow | undefined
  readonly heads: readonly { version: Version }[]
  readonly versioning?: typeof SMALL
  readonly expect: boolean | undefined
}[] = [
  { name: 'large and built upon', row: ROW, heads: [{ version: NEWER }], expect: false },
  {
    name: 'of the very size that is allowed',
    row: ROW,
    heads: [{ version: NEWER }],
    versioning: { archive: true, maxBytes: FACT.size },
    expect: undefined,
  },
  {
    name: 'the losing side of a double edit',
    row: ROW,
    heads: [{ version: OLD }, { version: APART }],
    expect: undefined,
  },
  { name: 'the winner knows nothing of it', row: ROW, heads: [{ version: APART }], expect: undefined },
  { name: 'nobody says anything of the path', row: ROW, heads: [], expect: undefined },
  { name: 'it is what the share says', row: ROW, heads: [{ version: OLD }], expect: undefined },
  {
    name: "a reader's own change",
    row: { ...ROW, drift: { kinds: ['content'] } } as unknown as DiskRow,
    heads: [{ version: NEWER }],
    expect: true,
  },
  {
    name: 'the disk holds another size than was applied',
    row: { ...ROW, stat: { ...STAT, size: FACT.size + 1 } },
    heads: [{ version: NEWER }],
    expect: undefined,
  },
  {
    name: 'the disk holds a file that was never applied',
    row: { ...ROW, applied: { version: OLD, fact: ABSENT } },
    heads: [{ version: NEWER }],
    expect: undefined,
  },
  { name: 'nothing is there', row: undefined, heads: [{ version: NEWER }], expect: undefined },
  {
    name: 'no archive anyway',
    row: ROW,
    heads: [{ version: NEWER }],
    versioning: { archive: false, maxBytes: 0 },
    expect: undefined,
  },
]

for (const { name, row, heads, versioning, expect } of cases)
  test(`a version for the archive: ${name}`, () => {
    assert.equal(archiveChoice(row, heads, versioning ?? SMALL), expect)
  })
