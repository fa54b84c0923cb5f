// A share without a configuration written by hand: made, joined by invite, looked at first, and then in sync.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { type ControlClient, controlClient } from '../../src/control/client.js'
import type { PreviewReport } from '../../src/daemon/preview/report.js'
import { eventually, freePort, type World, withWorld } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

/** Keeps a written configuration to loopback. */
function toLoopback(file: string): void {
  const text = fs.readFileSync(file, 'utf8')
  const kept = text
    .replace('\n{\n', '\n{\n  "listen_host": "127.0.0.1",\n  "interfaces": ["lo"],\n')
    .replace('"search_lan": true', '"search_lan": false')
  assert.match(kept, /listen_host[\s\S]*"search_lan": false/)
  fs.writeFileSync(file, kept)
}

async function run(world: World, file: string, storage: string): Promise<ControlClient> {
  const child = world.spawn(['run', file])
  child.stdout!.resume()
  let log = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  await eventually('ready', () => log.includes('"msg":"ready"'))
  return controlClient(storage)
}

test('share, invite, join, preview, run: in sync, and the invite is spent only on a join that works', async () => {
  await withWorld({}, async (world) => {
    const at = (...names: string[]): string => path.join(world.root, ...names)
    fs.mkdirSync(at('a/deep'), { recursive: true })
    fs.writeFileSync(at('a/deep/file'), 'content')
    fs.writeFileSync(at('a/both'), 'both')
    const port = String(await freePort())
    const places = (name: string): string[] => [
      '--config',
      at(`${name}.conf`),
      '--storage',
      at('state', name),
    ]
    const shared = await world.run(['share', at('a'), ...places('a'), '--port', port])
    assert.equal(shared.exit, 0, shared.err)
    toLoopback(at('a.conf'))
    const a = await run(world, at('a.conf'), at('state/a'))
    await a.settle()

    const invited = await world.run(['invite', at('a.conf'), '--grade', 'read'])
    assert.equal(invited.exit, 0, invited.err)
    fs.writeFileSync(at('invite'), invited.out)
    fs.mkdirSync(at('b'))
    fs.writeFileSync(at('b/both'), 'both')
    const join = (dir: string): string[] => [
      ...[
        'join',
        at(dir),
        '--secret-file',
        at('invite'),
        '--no-search-lan',
        '--known-host',
        `127.0.0.1:${port}`,
      ],
      ...['--timeout', '20', '--json'],
    ]
    // The place is taken: nothing is said to anybody.
    fs.writeFileSync(at('taken.conf'), '')
    const refused = await world.run([...join('b'), ...places('taken')])
    assert.equal(refused.exit, 73, refused.err)
    const joined = await world.run([...join('b'), ...places('b')])
    assert.equal(joined.exit, 0, joined.err)
    const { grade, hadContent } = JSON.parse(joined.out) as Record<string, unknown>
    assert.deepEqual([grade, hadContent], ['read', true])
    assert.ok(!joined.err.includes(invited.out.trim()))
    assert.match(fs.readFileSync(at('b.conf'), 'utf8'), /"secret": "shoalr1/)
    const again = await world.run([...join('c'), ...places('c')])
    assert.equal(again.exit, 69, again.err)
    assert.match(again.err, /knows no such invite/)
    assert.equal(fs.existsSync(at('c')), false)

    toLoopback(at('b.conf'))
    const previewed = await world.run(['preview', at('b.conf'), '--json'])
    const { shares } = JSON.parse(previewed.out) as PreviewReport
    assert.deepEqual(
      [shares[0]?.complete, shares[0]?.comparison?.same.files, shares[0]?.comparison?.onlyThere.files],
      [true, 1, 1],
    )
    const b = await run(world, at('b.conf'), at('state/b'))
    await eventually('in sync', async () => {
      const [one, other] = await Promise.all([a.status(), b.status()])
      return one.shares[0]!.digest === other.shares[0]!.digest && other.shares[0]!.needFiles === 0
    })
    assertEqualTrees([at('a'), at('b')])
  })
})
