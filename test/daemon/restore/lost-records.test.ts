// Restoring from a vault in which records of a feed are damaged: what they said is lacking, and told; nothing else is.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { restore } from '../../../src/daemon/restore/restore.js'
import type { RestoreReport } from '../../../src/daemon/restore/report.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { PastWorld } from '../../support/past-world.js'
import { type FrameIn, flip, framesIn } from '../../support/vault-frames.js'

const pool = new FolderPool()
after(() => pool.close())

const RECORDS = 40
const HOUR = 3_600_000
const BLOCK = 3

describe('a vault in which a record of a feed is damaged', () => {
  let home: string
  let world: PastWorld
  let vault: string
  let counter = 0

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-lost-'))
    world = await PastWorld.make(21, home, 2)
    vault = path.join(home, 'vault')
    for (let i = 0; i < RECORDS; i++) {
      fs.writeFileSync(path.join(world.dir, `f${i}`), `content of ${i}\n`)
      await world.publish(0)
      if (i % 10 === 0) {
        fs.writeFileSync(path.join(world.dir, `other${i}`), `of the other ${i}\n`)
        await world.publish(1)
      }
      world.nowMs += HOUR
      // As a node that runs does it: what comes is kept as it comes.
      if (i % 7 === 0 || i === RECORDS - 1) await world.writeVault(vault)
    }
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })

  function copyOf(from = vault): string {
    const copy = path.join(home, `vault-${counter++}`)
    fs.cpSync(from, copy, { recursive: true })
    return copy
  }

  function run(from: string, options: { to?: string; atMs?: number } = {}): Promise<RestoreReport> {
    const to = options.to ?? path.join(home, `to-${counter++}`)
    const { signal } = new AbortController()
    const { atMs } = options
    return restore({ secret: world.secret, from: { type: 'vault', vault: from }, to, atMs, pool, signal })
  }

  function block(from: string, index: number): FrameIn {
    const { writer } = world.writers[0]!.feed
    const found = framesIn(from).find(
      (frame) => frame.type === BLOCK && frame.writer === writer && frame.index === index,
    )
    assert.ok(found, `block ${index}`)
    return found
  }

  const namesIn = (dir: string): string[] => fs.readdirSync(dir).filter((name) => name !== '.shoal')

  it('gives everything back but what that record said, and says which it is', async () => {
    const copy = copyOf()
    flip(block(copy, 17), 70)
    const report = await run(copy)
    assert.equal(report.complete, false)
    assert.equal(report.lackingCount, 1, JSON.stringify(report.lacking))
    assert.equal(report.lacking[0]!.code, 'FEED_CORRUPT')
    assert.match(report.lacking[0]!.detail, /server-0.* record 17 of 40 .*older.*absent/)
    assert.deepEqual(
      namesIn(world.dir).filter((name) => !namesIn(report.dir).includes(name)),
      ['f17'],
    )
  })
})
