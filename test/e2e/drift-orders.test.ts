// What a person does about a reader's own changes, with real daemons: says that they are meant, or moves extra files to the
// archive, through crashes.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { test } from 'node:test'
import { converged, eventually, type World } from '../support/daemons.js'
import { archived, driftAt, hasArchived, listed, withReader } from './drift-kit.js'

test('acknowledged drift is listed apart and left alone, as long as it is that very one and its time is not up', async () => {
  await withReader({}, ['f', 'g', 'r/f'], async ({ world, reader }) => {
    const run = (...args: string[]): ReturnType<World['run']> => world.run(['drift', ...args])
    reader.write('f', 'meant')
    reader.remove('g')
    await eventually('both are listed', async () => (await listed(reader)).length === 2)
    const reason = 'ticket 4711: waits for the new release'
    const said = await run('acknowledge', reader.configFile, 'f', 'g', '--reason', reason, '--expires', '2d')
    assert.equal(said.exit, 0, said.err)
    const plain = await run(reader.configFile)
    assert.equal(plain.exit, 0, plain.out)
    assert.match(plain.out, /ACKNOWLEDGED[\s\S]*ticket 4711/)
    const counts = async (): Promise<number[]> => {
      const { drift, driftDetail } = await reader.share()
      return [drift, driftDetail.acknowledged]
    }
    assert.deepEqual(await counts(), [0, 2])

    // It is kept over a crash, and is void for any other change.
    await reader.kill()
    await reader.start()
    await reader.client.scan()
    assert.deepEqual(await counts(), [0, 2])
    assert.equal((await driftAt(reader, 'f'))?.acknowledgement?.reason, reason)
    reader.write('f', 'another change')
    await eventually('another change is drift', async () => (await counts())[0] === 1)
    assert.equal((await run(reader.configFile)).exit, 1)
    const unknown = await run('acknowledge', reader.configFile, 'none', '--reason', 'r')
    assert.equal(unknown.exit, 66)
    const empty = await run('acknowledge', reader.configFile, 'f', '--reason', ' ')
    assert.equal(empty.exit, 64)

    // It ends by itself, and when it is taken back.
    await reader.client.acknowledgeDrift({ share: 0, path: 'f', reason, lifeMs: 1 })
    await eventually('its time is up', async () => (await counts())[0] === 1)
    await reader.logged(/"path":"f".*"the acknowledgement of drift has ended"/)
    assert.equal((await run('acknowledge', reader.configFile, 'g', '--withdraw')).exit, 0)
    assert.deepEqual(await counts(), [2, 0])
    assert.equal((await run('acknowledge', reader.configFile, 'g', '--withdraw')).exit, 66)

    // What would be restored is not, for as long as it is acknowledged.
    reader.write('r/f', 'meant, too')
    await eventually('it is listed', () => driftAt(reader, 'r/f'))
    await reader.client.acknowledgeDrift({ share: 0, path: 'r/f', reason, lifeMs: 3_600_000 })
    const from = reader.log.length
    reader.writeConfig({ share: { drift: [{ match: 'r/**', policy: 'restore' }] } })
    await reader.logged(/shared_folders\[0\]\.drift/, from)
    reader.write('r/other', 'made here')
    await eventually('the other one is undone', () => !reader.exists('r/other'))
    assert.equal(reader.read('r/f'), 'meant, too')
    await reader.client.withdrawDrift({ share: 0, path: 'r/f' })
    await eventually('undone in the end', () => reader.read('r/f') === "share's r/f")
    assert.ok(hasArchived(reader, 'meant, too'))
  })
})

test('extra files go to the archive when told to, each as it was listed, and nothing else does', async () => {
  await withReader({}, ['.shoalignore', 'kept/f'], async ({ world, writer, reader }) => {
    writer.write('.shoalignore', 'ignored\n')
    await converged([writer, reader])
    const outside = `${world.root}/outside`
    fs.mkdirSync(outside)
    fs.writeFileSync(`${outside}/precious`, 'not ours')
    reader.write('new/a/1', 'one')
    reader.write('new/a/2', 'two')
    reader.write('new/b', 'three')
    reader.write('mine/x', 'four')
    reader.write('mine/ignored', 'never looked at')
    fs.symlinkSync(outside, reader.at('new/link'))
    reader.write('kept/f', 'edited, not extra')
    await eventually('all are listed', async () => (await listed(reader)).length === 9)

    const some = await world.run(['drift', reader.configFile, 'new/a', '--archive-extra'])
    assert.equal(some.exit, 0, some.out + some.err)
    assert.match(some.out, /^new\/a\/1 -> \.shoal\/archive\/[\d-]+\/new\/a\/1$/m)
    assert.match(some.out, /^new\/a: removed, it was empty$/m)
    assert.equal(reader.exists('new/a'), false)
    assert.equal(reader.exists('new/b'), true)

    // What is acknowledged is left, and so is the folder that it lies in.
    await reader.client.acknowledgeDrift({ share: 0, path: 'new/b', reason: 'meant', lifeMs: 3_600_000 })
    const rest = await world.run(['drift', reader.configFile, '--archive-extra', '--json'])
    assert.equal(rest.exit, 1)
    const { moved, left } = JSON.parse(rest.out)
    assert.deepEqual(moved.map(({ path }: { path: string }) => path).sort(), ['mine/x', 'new/link'])
    assert.deepEqual(left.map(({ path, code }: { path: string; code: string }) => `${path} ${code}`).sort(), [
      'mine ENOTEMPTY',
      'new NOT_EMPTY',
    ])
    assert.equal(fs.readFileSync(`${outside}/precious`, 'utf8'), 'not ours')
    assert.equal(reader.read('mine/ignored'), 'never looked at')
    assert.equal(reader.read('kept/f'), 'edited, not extra')
    for (const content of ['one', 'two', 'four']) assert.ok(hasArchived(reader, content), content)
    assert.deepEqual(await listed(reader), ['kept/f: content', 'mine: extra', 'new/b: extra', 'new: extra'])
    // Named itself, it goes.
    const named = await reader.client.archiveExtra({ share: 0, paths: ['new/b'] })
    assert.deepEqual(
      named.moved.map(({ path }) => path),
      ['new/b'],
    )
  })
})

test('a crash while extra files go to the archive loses none of them, and the rest stays drift', async () => {
  await withReader({}, ['f'], async ({ reader }) => {
    const extras = Array.from({ length: 400 }, (_, i) => `new/${i % 10}/${i}`)
    for (const name of extras) reader.write(name, `content of ${name}`)
    for (let round = 0; round < 3; round++) {
      await eventually('all that is left is listed', async () => {
        const left = extras.filter((name) => reader.exists(name))
        const paths = new Set((await reader.client.drift()).map(({ path }) => path))
        return left.every((name) => paths.has(name))
      })
      const call = reader.client.archiveExtra().catch(() => undefined)
      if (round < 2) {
        await eventually('some have gone', () => archived(reader).size > round * 100)
        await reader.kill()
        await call
        const kept = new Set(archived(reader).values())
        for (const name of extras) {
          const content = `content of ${name}`
          assert.ok(kept.has(content) || (reader.exists(name) && reader.read(name) === content), name)
        }
        await reader.start()
        await reader.client.scan()
      } else {
        const report = await call
        assert.deepEqual(report?.left, [])
      }
    }
    assert.equal(reader.exists('new'), false)
    const kept = new Set(archived(reader).values())
    assert.ok(extras.every((name) => kept.has(`content of ${name}`)))
    assert.equal((await reader.share()).drift, 0)
  })
})
