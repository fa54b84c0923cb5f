// `shoal restore --from swarm` against a real daemon: all that a share carries comes back, this device is nobody's member
// for it, and a moment in the past is what stood then.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { formatSecret } from '../../src/core/secret.js'
import type { RestoreReport } from '../../src/daemon/restore/report.js'
import { converged, eventually, type TestNode, World, withWorld } from '../support/daemons.js'
import { looks, NEEDS_TOOLS, tool } from '../support/metadata-tools.js'
import { differencesOf, snapshot, type Tree } from '../support/trees.js'

const IS_ROOT = process.geteuid?.() === 0

describe('restore from the swarm', () => {
  let world: World
  let node: TestNode
  let secretFile: string
  let then: { readonly atMs: number; readonly tree: Tree }

  before(async () => {
    world = new World()
    ;[node] = (await world.start(['a'], {
      share: { xattrs: ['user.*'], ...(IS_ROOT ? { acls: true, owners: 'number' } : {}) },
    })) as [TestNode]
    secretFile = path.join(world.root, 'secret')
    fs.writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
    for (let i = 0; i < 30; i++) node.write(`many/${i}`, `content ${i}`)
    node.write('big', Buffer.alloc(3 << 20, 'big'))
    node.write('linked', 'one file')
    fs.linkSync(node.at('linked'), node.at('many/other-name'))
    fs.symlinkSync('../nowhere', node.at('many/link'))
    fs.chmodSync(node.at('many/3'), 0o640)
    if (IS_ROOT) fs.chownSync(node.at('many/4'), 4711, 4712)
    if (NEEDS_TOOLS === false) {
      tool(node.dir, 'setfattr', '-n', 'user.colour', '-v', 'blue', 'many/5')
      if (IS_ROOT) tool(node.dir, 'setfacl', '-m', 'u:4711:rw', 'many/6')
    }
    fs.utimesSync(node.at('many'), 1.5e9, 1.5e9)
    await converged([node])
    then = { atMs: Date.now(), tree: snapshot(node.dir) }
    node.write('many/1', 'changed')
    node.remove('big')
    node.write('later', 'new')
    await converged([node])
  })
  after(() => world.close())

  async function run(
    to: string,
    ...options: string[]
  ): Promise<{ exit: number | null; err: string; report: RestoreReport }> {
    const { exit, out, err } = await world.run([
      ...['restore', '--secret-file', secretFile, '--from', 'swarm', '--no-search-lan', '--json'],
      ...['--host', `127.0.0.1:${node.port}`, '--to', to, ...options],
    ])
    return { exit, err, report: JSON.parse(out === '' ? '{}' : out) as RestoreReport }
  }

  it('brings back content, names, modes, owners, ACLs, attributes, links and times', async () => {
    const to = path.join(world.root, 'all')
    const { exit, err, report } = await run(to, ...(IS_ROOT ? ['--owners', 'number'] : []))
    assert.equal(exit, 0, err)
    assert.deepEqual(report.lacking, [])
    assert.deepEqual(differencesOf(snapshot(node.dir), snapshot(to)), [])
    assert.equal(fs.statSync(path.join(to, 'linked')).ino, fs.statSync(path.join(to, 'many/other-name')).ino)
    if (NEEDS_TOOLS === false) assert.deepEqual(looks(to), looks(node.dir))
    assert.equal(fs.existsSync(path.join(to, '.shoal')), false)
    assert.equal((await node.client.members())[0]!.members.length, 0, 'nobody has joined')
  })

  it('as of a moment: what a member that keeps no history has let go is lacking, and the rest is there', async () => {
    const to = path.join(world.root, 'then')
    const { exit, err, report } = await run(to, '--at', new Date(then.atMs).toISOString(), '--timeout', '3')
    assert.equal(exit, 1, err)
    assert.deepEqual(report.lacking.map(({ path: at }) => at).sort(), ['big', 'many/1'])
    const rest = new Map([...then.tree].filter(([at]) => at !== 'big' && at !== 'many/1'))
    assert.deepEqual(differencesOf(rest, snapshot(to)), [])
  })

  it('from one member alone, by its name; under another name nobody is met', async () => {
    const to = path.join(world.root, 'named')
    const { exit, err } = await run(to, '--node', 'a', 'many/link')
    assert.equal(exit, 0, err)
    assert.deepEqual([...snapshot(to).keys()], ['many', 'many/link'])
    const other = await run(path.join(world.root, 'none'), '--node', 'nobody', '--timeout', '2')
    assert.equal(other.exit, 69)
    assert.match(other.err, /nobody who holds this share was met under the name nobody/)
  })
})

it('a member that has not looked through its folder may have more: that is waited for, and said', async () => {
  await withWorld({}, async (world) => {
    const [writer, other] = (await world.start(['writer', 'other'])) as [TestNode, TestNode]
    writer.write('told', 'content')
    await converged([writer, other])
    const toldMs = Date.now()
    await writer.stop()
    // It halts instead of looking.
    const marker = path.join(world.root, 'marker')
    fs.renameSync(writer.at('.shoal'), marker)
    await writer.start()
    await eventually('it halts', async () => (await writer.share()).state === 'halted')
    fs.renameSync(marker, writer.at('.shoal'))
    writer.write('more', 'content')
    const secretFile = path.join(world.root, 'secret')
    fs.writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
    const run = async (to: string, ...options: string[]): Promise<[number | null, RestoreReport]> => {
      const { exit, out } = await world.run([
        ...['restore', '--secret-file', secretFile, '--from', 'swarm', '--no-search-lan', '--json'],
        ...['--host', `127.0.0.1:${writer.port}`, '--host', `127.0.0.1:${other.port}`],
        ...['--to', path.join(world.root, to), ...options],
      ])
      return [exit, JSON.parse(out) as RestoreReport]
    }

    const [then, past] = await run('then', '--at', new Date(toldMs).toISOString())
    assert.deepEqual([then, past.complete, past.files], [0, true, 1], 'of the past nothing is said any more')
    const [exit, report] = await run('newest', '--timeout', '3')
    assert.deepEqual([exit, report.complete, report.files], [1, false, 1])
    assert.deepEqual(report.lacking, [
      {
        path: '',
        code: 'NOT_LOOKED',
        detail: 'writer has not looked through its folder since it started: there may be more than it says',
      },
    ])

    const again = run('newest')
    await writer.client.approve()
    const [gone, whole] = await again
    assert.deepEqual([gone, whole.complete, whole.files], [0, true, 2])
    assert.equal(fs.readFileSync(path.join(world.root, 'newest', 'more'), 'utf8'), 'content')
  })
})
