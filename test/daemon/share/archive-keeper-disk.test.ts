// The archive's keeper on a real archive, with the clocks in the test's hand.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, test } from 'node:test'
import { NO_EXTRA } from '../../../src/core/entry.js'
import type { FileFact } from '../../../src/core/fact.js'
import { parsePath } from '../../../src/core/path.js'
import { NO_VERSION } from '../../../src/core/version.js'
import { ArchiveKeeper } from '../../../src/daemon/share/archive-keeper.js'
import { ProblemBook } from '../../../src/daemon/share/problems.js'
import type { ArchiveLedger } from '../../../src/folder/archive-age.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { silentLog } from '../../../src/ports/log.js'
import { MemoryDatabase } from '../../../src/store/memory.js'
import { packLayout } from '../../../src/store/pieces.js'
import { ShareIndex } from '../../../src/store/share-index.js'
import { Share } from '../../folder/commit-kit.js'

const DAY_MS = 86_400_000
const pool = new FolderPool({ threads: 1 })
after(() => pool.close())

interface Kept {
  readonly share: Share
  readonly keeper: ArchiveKeeper
  readonly problems: ProblemBook
  readonly index: ShareIndex
  /** Advances all clocks. */
  wait(days: number): void
}

async function withKeeper(body: (kept: Kept) => Promise<void>): Promise<void> {
  const share = new Share()
  const { dev, ino } = fs.statSync(share.root)
  const index = new ShareIndex(new MemoryDatabase(), '', { overwriteDrift: false, isIgnored: () => false })
  let laterMs = 0
  const meta: { archive: ArchiveLedger | undefined } = { archive: undefined }
  const problems = new ProblemBook(() => 0)
  const keeper = new ArchiveKeeper({
    root: share.root,
    pool,
    meta,
    problems,
    log: silentLog,
    nowMs: () => Date.now() + laterMs,
    ttlDays: 30,
    rootIdentity: () => ({ dev, ino, markerIno: 0 }),
    haltReason: () => undefined,
    forgetPieces: (isDayThere, after) => {
      return index.transaction(() => index.forgetArchived(isDayThere, after, 2))
    },
    uptime: () => ({ bootId: 'boot', uptimeMs: laterMs }),
    pauseMs: 0,
  })
  const wait = (days: number): void => {
    laterMs += days * DAY_MS
  }
  try {
    await body({ share, keeper, problems, index, wait })
  } finally {
    await keeper.stop()
    share.remove()
  }
}

test('what was archived by a commit goes with its folders once it is old, and nothing else does', async () => {
  await withKeeper(async ({ share, keeper, wait }) => {
    const release = await keeper.use(Date.now())
    const options = { archive: true, atMs: Date.now() }
    for (let i = 0; i < 300; i++) share.write(`d/e/${i}`, 'old')
    share.write('top', 'old')
    const jobs = [...Array(300).keys()].map((i) => share.fileJob(`d/e/${i}`, `new ${i}`, { seed: i + 1 }))
    const results = await pool.commit(
      share.root,
      [...jobs, share.fileJob('top', 'new', { seed: 999 })],
      options,
    )
    assert.ok(results.every(({ status }) => status === 'done'))
    release()
    share.write('.shoal/archive/recovered/held-1', 'perhaps the only copy')
    const day = `.shoal/archive/${new Date(options.atMs).toISOString().slice(0, 10)}`
    assert.equal(fs.readdirSync(share.at(`${day}/d/e`)).length, 300)

    await keeper.prune()
    wait(30)
    await keeper.prune()
    assert.equal(fs.readdirSync(share.at(`${day}/d/e`)).length, 300, 'not yet')
    wait(2)
    await keeper.prune()
    assert.deepEqual(fs.readdirSync(share.at('.shoal/archive')), ['recovered'])
    assert.equal(share.read('.shoal/archive/recovered/held-1'), 'perhaps the only copy')
    assert.equal(share.read('top'), 'new')
    assert.equal(fs.readdirSync(share.at('d/e')).length, 300)
  })
})

test('an archive that cannot be entered is a problem that is told, and clears when it can', async () => {
  await withKeeper(async ({ share, keeper, problems, wait }) => {
    const day = '.shoal/archive/2020-02-02'
    share.write(`${day}/a`, 'old')
    await keeper.prune()
    wait(40)
    fs.renameSync(share.at(day), share.at('aside'))
    fs.symlinkSync(share.at('aside'), share.at(day))
    await keeper.prune()
    assert.equal(share.read('aside/a'), 'old')
    assert.deepEqual(
      problems.list().map(({ path, code }) => [path, code]),
      [[day, 'SYMLINK_IN_PATH']],
    )
    fs.rmSync(share.at(day))
    fs.renameSync(share.at('aside'), share.at(day))
    await keeper.prune()
    assert.equal(share.exists(day), false)
    assert.deepEqual(problems.list(), [])
  })
})

test('pieces that went with their folder are not thought to be in the archive any more', async () => {
  await withKeeper(async ({ share, keeper, index, wait }) => {
    const [old, kept, byHand, unused] = [1, 2, 3, 4].map((i) => Buffer.alloc(32, i))
    const young = new Date(Date.now() + 20 * DAY_MS).toISOString().slice(0, 10)
    const note = (id: Buffer | undefined, day: string): void => {
      share.write(`.shoal/archive/${day}/a`, 'old')
      const path = parsePath(`file ${id![0]}`)
      const fact: FileFact = { type: 'file', mode: 0o644, mtimeUs: 0, size: 1, content: id!, extra: NO_EXTRA }
      const row = { applied: { version: NO_VERSION, fact }, stat: undefined, drift: undefined }
      index.transaction(() => {
        index.setDisk(path, row, packLayout([{ id: id!, length: 33 }]))
        index.noteArchived(path, `${day}/a`)
      })
    }
    note(old, '2020-02-02')
    note(kept, young)
    note(byHand, '2020-03-03')
    note(unused, '2020-02-02')
    const known = (): boolean[] =>
      [old, kept, byHand, unused].map((id) => index.archivedPlaceOf(id!) !== undefined)
    await keeper.prune()
    assert.deepEqual(known(), [true, true, true, true])
    fs.rmSync(share.at('.shoal/archive/2020-03-03'), { recursive: true })
    await keeper.prune()
    assert.deepEqual(known(), [true, true, false, true])
    wait(32)
    await keeper.prune()
    assert.equal(share.exists('.shoal/archive/2020-02-02'), false)
    assert.deepEqual(known(), [false, true, false, false])
    fs.renameSync(share.at('.shoal/archive'), share.at('.shoal/aside'))
    await keeper.prune()
    assert.deepEqual(known(), [false, true, false, false], 'it may come back')
  })
})
