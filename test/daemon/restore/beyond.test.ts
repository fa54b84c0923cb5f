// What a vault does not hold although it can be told that it was written; moments before the first record.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { RelPath } from '../../../src/core/path.js'
import { browse, type Past } from '../../../src/daemon/restore/browse.js'
import type { RestorableVault } from '../../../src/daemon/restore/from-vault.js'
import { restore } from '../../../src/daemon/restore/restore.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { PastWorld } from '../../support/past-world.js'

const NEVER = new AbortController().signal
const pool = new FolderPool()
after(() => pool.close())

describe('a vault of which the newest was not copied', () => {
  let home: string
  let world: PastWorld
  let cut: RestorableVault
  let beginMs: number

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-beyond-'))
    world = await PastWorld.make(5, home, 2)
    beginMs = world.nowMs
    fs.writeFileSync(path.join(world.dir, 'one'), 'one\n')
    await world.publish(0)
    const early = await world.vault()
    world.nowMs += 60_000
    fs.writeFileSync(path.join(world.dir, 'two'), 'two\n')
    await world.publish(0)
    world.nowMs += 60_000
    fs.writeFileSync(path.join(world.dir, 'three'), 'three\n')
    await world.publish(1)
    const late = await world.vault()
    const [first] = world.writers
    const isFirst = ({ writer }: { readonly writer: string }): boolean => writer === first!.feed.writer
    // As if the pack with the second record of the first writer was left behind.
    cut = {
      ...late,
      heads: () => [...early.heads().filter(isFirst), ...late.heads().filter((head) => !isFirst(head))],
      blocks: (writer) => (isFirst({ writer }) ? early : late).blocks(writer),
    }
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })

  const to = (name: string): string => path.join(home, name)
  const look = <T>(vault: RestorableVault, body: (past: Past) => Promise<T>, atMs?: number): Promise<T> =>
    browse({ secret: world.secret, vault, atMs, signal: NEVER }, body)
  const run = (vault: RestorableVault, name: string, atMs?: number): ReturnType<typeof restore> =>
    restore({ secret: world.secret, from: { type: 'vault', vault }, to: to(name), atMs, signal: NEVER, pool })

  it('restores what is there, and says whose records are missing and how that is known', async () => {
    const { complete, notes } = await run(cut, 'cut')
    assert.deepEqual([complete, fs.existsSync(path.join(to('cut'), 'two'))], [true, false])
    assert.deepEqual(notes, [
      'the newest may be missing: by 2026-11-20T12:02:00.000Z server-1 knew 2 records of server-0, of which 1 are here; was all of the vault copied?',
    ])
    const seen = await look(cut, async (past) => {
      await past.list('')
      return { notes: past.notes, faults: past.faults }
    })
    assert.deepEqual(seen, { notes, faults: [] })
  })

  it('says so too of a vault whose last pack is full: another one was begun', async () => {
    const note =
      'the newest may be missing: pack 7 of the vault is full and the last one here, and the next is begun when one is full; was all of the vault copied?'
    const vault = { ...(await world.vault()), fullNewest: 7 }
    const { complete, notes } = await run(vault, 'full')
    assert.deepEqual([complete, notes], [true, [note]])
    const seen = await look(vault, async (past) => {
      await past.list('')
      return past.notes
    })
    assert.deepEqual(seen, [note])
  })

  it('says nothing of a whole one, nor of a moment at which nobody knew more', async () => {
    const whole = await run(await world.vault(), 'whole')
    assert.deepEqual([whole.complete, whole.notes], [true, []])
    const early = await run(cut, 'early', beginMs + 1000)
    assert.deepEqual([early.complete, early.notes], [true, []])
  })

  it('a moment before the first record is refused with the time of that, and so is a path that never was', async () => {
    const refusal = {
      code: 'NOT_FOUND',
      message: `nobody had written anything by then (1970-01-01T00:00:01.000Z); the oldest record is of ${new Date(beginMs).toISOString()}`,
    }
    await assert.rejects(run(cut, 'before', 1000), refusal)
    await assert.rejects(
      look(cut, (past) => past.list(''), 1000),
      refusal,
    )
    await assert.rejects(
      look(cut, (past) => past.versions('nothing' as RelPath, 10)),
      { code: 'NOT_FOUND', message: /nothing was ever written of nothing/ },
    )
  })

  it('where a clock went back, browsing tells what is left out', async () => {
    const realMs = world.nowMs
    world.nowMs = 1000
    fs.writeFileSync(path.join(world.dir, 'four'), 'four\n')
    await world.publish(1)
    world.nowMs = realMs
    const back = await world.vault()
    const notes = await look(
      back,
      async (past) => {
        await past.list('')
        return past.notes
      },
      beginMs + 90_000,
    )
    // Its first record bears a later time than was asked for, and so what comes after it does not count.
    assert.match(notes.join('\n'), /^the clock of server-1 went back: what it wrote after a record of 2026/)
  })
})
