// Blind nodes: they keep and serve what they cannot read, and from one alone everything can be had.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { it } from 'node:test'
import { eventually, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'
import { keepsAll } from './blind-kit.js'

it('keeps a share, serves it when nobody else is up, and comes back without its database', async () => {
  await withWorld({}, async (world) => {
    const writer = await world.node('writer', { knows: ['blind'] })
    const blind = await world.node('blind', { grade: 'blind', knows: ['writer'] })
    for (let i = 0; i < 30; i++) writer.write(`d${i % 3}/f${i}`, `content of ${i} `.repeat(i * 10 + 1))
    writer.write('big', randomBytes(3_000_000))
    writer.write('twin', 'content of 7 '.repeat(71))
    fs.symlinkSync('big', writer.at('link'))
    await Promise.all([writer.start(), blind.start()])
    const kept = await keepsAll(blind, writer)
    assert.equal(kept.grade, 'blind')
    assert.ok(kept.blind!.pieces > 30 && kept.blind!.bytes > 3_000_000)
    assert.equal(kept.bytes, kept.blind!.bytes)
    const seen = await eventually('the writer sees it', async () =>
      (await writer.share()).members.find(({ grade, digestEqual }) => grade === 'blind' && digestEqual),
    )
    assert.equal(seen.name, 'blind')
    await writer.stop()

    // Everything from the blind node alone.
    const reader = await world.node('reader', { grade: 'read', knows: ['blind'] })
    await reader.start()
    await eventually('the reader has all', async () => {
      const share = await reader.share()
      return share.files === 32 && share.needFiles === 0 && share.state === 'idle'
    })
    assertEqualTrees([writer.dir, reader.dir])
    await reader.stop()

    // A new database and new feeds: nothing is fetched, and all can be had again.
    await blind.stop()
    for (const part of ['index', 'cores']) fs.rmSync(path.join(blind.storage, part), { recursive: true })
    await blind.start()
    const again = await eventually('the vault is taken over again', async () => {
      const share = await blind.share()
      return share.state === 'idle' && share.blind!.pieces > 0 ? share : undefined
    })
    assert.deepEqual([again.head, again.blind!.pieces], [kept.head, kept.blind!.pieces])
    assert.equal(again.receivedBytes, 0)
    const fresh = await world.node('fresh', { knows: ['blind'] })
    await fresh.start()
    await eventually('a fresh writer has all', async () => (await fresh.share()).files === 32)
    await eventually('and is done', async () => (await fresh.share()).needFiles === 0)
    assertEqualTrees([writer.dir, fresh.dir])
  })
})
