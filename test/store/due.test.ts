import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { ABSENT, type DirectoryFact } from '../../src/core/fact.js'
import type { Effective } from '../../src/core/tree.js'
import type { Version } from '../../src/core/version.js'
import { dueStep, isOldNews } from '../../src/store/due.js'
import type { DiskRow } from '../../src/store/rows.js'
import { path, writer } from '../support/arbitraries.js'

const D = path('d')
const SAID: DirectoryFact = { type: 'directory', mode: 0o755, mtimeUs: 1, extra: [] }
/** As a look leaves it after a child of it was removed, until its time is put back. */
const MOVED: DirectoryFact = { ...SAID, mtimeUs: 2 }
const ONE: Version = [[writer(0), 1]]
const TWO: Version = [[writer(0), 2]]

const OPTIONS = { isIgnored: () => false }
const share = (version: Version, fact: DirectoryFact = SAID) => ({ fact, version }) as unknown as Effective
const drifted = (fact: DirectoryFact | typeof ABSENT): DiskRow => ({
  applied: { version: ONE, fact: MOVED },
  stat: undefined,
  drift: { kinds: fact === ABSENT ? ['missing'] : ['mode'], sinceMs: 1, fact },
})

describe("what a reader's change of a directory comes to, whose time is still to be put back", () => {
  for (const [name, fact] of [
    ['removed', ABSENT],
    ['closed', { ...MOVED, mode: 0o700 }],
  ] as const) {
    it(`${name}, it stays so under report`, () => {
      const row = drifted(fact)
      assert.equal(isOldNews(share(ONE), row), true)
      assert.deepEqual(dueStep({ ...OPTIONS, overwriteDrift: false }, D, share(ONE), row, false), {
        type: 'none',
      })
    })

    it(`${name}, it is put back where it is to be`, () => {
      const { type } = dueStep({ ...OPTIONS, overwriteDrift: true }, D, share(ONE), drifted(fact), false)
      assert.equal(type, fact === ABSENT ? 'mkdir' : 'metadata')
    })

    it(`${name}, what the share newly says of it replaces that`, () => {
      const news = share(TWO, { ...SAID, mode: 0o750 })
      assert.equal(isOldNews(news, drifted(fact)), false)
      assert.notEqual(
        dueStep({ ...OPTIONS, overwriteDrift: false }, D, news, drifted(fact), false).type,
        'none',
      )
    })
  }
})
