// What people ask of shares and do to them through the control API: conflicts looked at and ended, browsing, the history of
// a path, pausing, limits, secrets. One world, each step on what the one before left.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { formatSecret } from '../../src/core/secret.js'
import { converged, eventually, type TestNode, World } from '../support/daemons.js'
import { assertEqualTrees } from '../support/trees.js'

const SECOND = 1_700_000_000
const NAMES = ['x', 'y', 'z'] as const
/** A node takes its time to find another one again. */
const CHUNK = 256 * 1024

describe('resources', () => {
  let world: World
  let a: TestNode
  let b: TestNode
  let reader: TestNode

  before(async () => {
    world = new World()
    a = await world.node('a')
    b = await world.node('b', { config: { rate_limit_local_peers: true } })
    reader = await world.node('reader', { grade: 'read' })
    for (const name of NAMES) a.write(`d/${name}.txt`, 'base')
    await Promise.all([a.start(), b.start(), reader.start()])
    await converged([a, b, reader])
  })
  after(() => world.close())

  it('both sides of a conflict are told alike on all nodes, with who wrote them', async () => {
    await Promise.all([a.stop(), b.stop()])
    for (const name of NAMES)
      for (const [node, later] of [
        [a, 1],
        [b, 0],
      ] as const) {
        node.write(`d/${name}.txt`, `${name} by ${node.name}`)
        fs.utimesSync(node.at(`d/${name}.txt`), SECOND + later, SECOND + later)
      }
    await Promise.all([a.start(), b.start()])
    await converged([a, b, reader])
    const all = await Promise.all([a, b, reader].map((node) => node.client.conflicts()))
    const told = all.map((conflicts) =>
      conflicts
        .map(({ share, path, id, kept, copyVersion }) => ({ share, path, id, kept, copyVersion }))
        .sort((one, other) => (one.path < other.path ? -1 : 1)),
    )
    assert.deepEqual(told[1], told[0])
    assert.deepEqual(told[2], told[0])
    assert.deepEqual(
      told[0]!.map(({ path, kept, copyVersion }) => [path, kept?.name, copyVersion?.name]),
      NAMES.map((name) => [`d/${name}.txt`, 'a', 'b']),
    )
    const { kept, copyVersion } = told[0]![0]!
    const mtime = (later: number): string => new Date((SECOND + later) * 1000).toISOString()
    assert.deepEqual([kept?.size, kept?.mtime, copyVersion?.mtime], [6, mtime(1), mtime(0)])
    for (const one of told[0]!.flatMap((each) => [each.kept, each.copyVersion]))
      assert.ok(Date.parse(one!.when!) > SECOND * 1000)
    assert.equal(new Set(told[0]!.map(({ id }) => id)).size, 3)
  })

  it('a reader does not end them; a writer does, each in its way, and everybody has it', async () => {
    const conflicts = await a.client.conflicts()
    const { copy } = conflicts[0]!
    await assert.rejects(reader.client.resolveConflict({ share: 0, copy, keep: 'this' }), {
      code: 'SECRET_GRADE',
    })
    const entries = await a.client.entries({ share: 0, path: 'd' })
    assert.deepEqual(new Set(entries.entries.map(({ state }) => state)), new Set(['conflict']))
    for (const [name, keep] of [
      ['x', 'this'],
      ['y', 'other'],
      ['z', 'both'],
    ] as const) {
      const one = conflicts.find(({ path }) => path === `d/${name}.txt`)!
      const report = await a.client.resolveConflict({ share: 0, copy: one.copy, keep, id: one.id })
      if (keep === 'this') assert.equal(fs.readFileSync(a.at(report.archived!), 'utf8'), 'x by b')
      if (keep === 'other') assert.equal(fs.readFileSync(a.at(report.archived!), 'utf8'), 'y by a')
      if (keep === 'both') assert.equal(a.read(report.at!), 'z by b')
    }
    assert.deepEqual(await a.client.conflicts(), [])
    await converged([a, b, reader])
    assertEqualTrees([a.dir, b.dir, reader.dir])
    assert.deepEqual(await b.client.conflicts(), [])
    const contents = fs.readdirSync(b.at('d')).map((name) => b.read(`d/${name}`))
    assert.deepEqual(contents.sort(), ['x by a', 'y by b', 'z by a', 'z by b'])
    await assert.rejects(a.client.resolveConflict({ share: 0, copy, keep: 'this' }), { code: 'NOT_FOUND' })
  })

  it('the history of a path says who wrote what, and where each content is', async () => {
    const { versions, isComplete } = await a.client.history({ share: 0, path: 'd/y.txt' })
    assert.ok(isComplete)
    const [now] = versions
    assert.deepEqual([now?.isCurrent, now?.where, now?.name, now?.size], [true, 'live', 'a', 6])
    assert.equal(versions.filter(({ isCurrent }) => isCurrent).length, 1)
    assert.equal(versions.filter(({ where }) => where === 'live').length, 1)
    const archived = versions.filter(({ where }) => where === 'archive')
    assert.ok(archived.some((one) => fs.readFileSync(a.at(one.archived!), 'utf8') === 'y by a'))
    for (const { when } of versions) assert.ok(when !== null && Date.parse(when) > SECOND * 1000)
    const gone = await b.client.history({ share: 0, path: 'd/none' }).catch((error: unknown) => error)
    assert.equal((gone as { code?: string }).code, 'NOT_FOUND')
    const copy = fs
      .readdirSync(a.at('.shoal/archive'), { recursive: true })
      .find((name) => /x\.conflict/.test(String(name)))
    const deleted = await reader.client.history({
      ...{ share: 0, path: String(copy).slice(11) },
      limit: 1,
    })
    assert.deepEqual([deleted.versions[0]?.type, deleted.versions[0]?.isCurrent], ['deleted', true])
  })

  it('directories are listed in pages, with how each name stands', async () => {
    reader.write('d/extra', 'of the reader')
    await reader.client.settle()
    a.remove('d/z.txt')
    await converged([a, b])
    const seen: string[] = []
    let after: string | undefined
    do {
      const page = await a.client.entries({ share: 0, path: 'd', after, limit: 1 })
      seen.push(...page.entries.map(({ path }) => path))
      after = page.next ?? undefined
    } while (after !== undefined)
    const names = fs.readdirSync(a.at('d')).map((name) => `d/${name}`)
    assert.deepEqual(seen, names.sort())
    const root = await reader.client.entries({ share: 0 })
    assert.deepEqual(
      root.entries.map(({ path, type }) => [path, type]),
      [['d', 'directory']],
    )
    await eventually('the reader has removed z', () => !reader.exists('d/z.txt'))
    const listed = await reader.client.entries({ share: 0, path: 'd' })
    const states = new Map(listed.entries.map(({ path, state, name }) => [path, [state, name]]))
    assert.deepEqual(states.get('d/extra'), ['drift', null])
    assert.deepEqual(states.get('d/x.txt'), ['synced', 'a'])
    for (const path of ['d/x.txt', 'none', '..'])
      await assert.rejects(a.client.entries({ share: 0, path }), {
        code: path === '..' ? 'USAGE' : 'NOT_FOUND',
      })
    reader.remove('d/extra')
  })

  it('a paused share speaks with nobody, also after a restart, and goes on looking at its disk', async () => {
    await b.client.pause({ share: 0 })
    const since = (await b.share()).pausedSince
    assert.equal((await b.share()).state, 'paused')
    assert.deepEqual(await b.client.peers(), [])
    await eventually('a has lost b', async () => (await a.client.peers()).every(({ name }) => name !== 'b'))
    await b.restart()
    assert.deepEqual([(await b.share()).state, (await b.share()).pausedSince], ['paused', since])
    const before = (await b.share()).digest
    b.write('d/by-b', 'while paused')
    await b.client.scan({ share: 0 })
    assert.notEqual((await b.share()).digest, before)
    assert.deepEqual([await b.client.peers(), a.exists('d/by-b')], [[], false])
    const waited = await world.run(['status', b.configFile, '--wait', '--timeout', '0'])
    assert.equal(waited.exit, 2)
    assert.match(waited.out, /which is paused/)
    assert.equal((await world.run(['resume', b.configFile, b.dir])).exit, 0)
    await converged([a, b, reader])
    assert.equal(a.read('d/by-b'), 'while paused')
    assert.equal((await b.share()).pausedSince, null)
    await assert.rejects(b.client.pause({ share: 1 }), { code: 'NOT_FOUND' })
  })

  it('a limit holds at once, and so does its end', async () => {
    await eventually('b is connected', async () => (await b.client.peers()).length > 0)
    assert.deepEqual(await b.client.setLimits({ download: 1 }), {
      ...{ download: 1, upload: 0, holdLocally: true, shares: [] },
      held: {
        download: { rate: 1, by: 'set', until: null },
        upload: { rate: 0, by: 'configuration', until: null },
      },
    })
    // Ten pieces or so: the first one may pass, and is paid for during weeks.
    a.write('big', randomBytes(10 * CHUNK))
    await a.client.settle()
    await eventually('b has heard of it', async () => (await b.share()).needFiles > 0)
    await eventually('the reader has it', () => reader.exists('big'))
    assert.ok(!b.exists('big'))
    assert.equal((await world.run(['limits', b.configFile, '--download', '0'])).exit, 0)
    await converged([a, b, reader])
    assertEqualTrees([a.dir, b.dir, reader.dir])
  })

  it('secrets are told on an explicit call alone, as far as they go, and never logged', async () => {
    const [ofWriter, ofReader] = await Promise.all(
      [a, reader].map((node) => node.client.secrets({ share: 0 })),
    )
    assert.deepEqual(
      [ofWriter, ofReader].map((report) => report!.secrets.map(({ grade }) => grade)),
      [
        ['write', 'read', 'blind'],
        ['read', 'blind'],
      ],
    )
    assert.equal(ofWriter!.secrets[0]!.secret, formatSecret(world.secret))
    assert.deepEqual(ofWriter!.secrets.slice(1), ofReader!.secrets)
    const said = [...a.log, ...reader.log, JSON.stringify(await a.status())].join('\n')
    for (const { secret } of ofWriter!.secrets) assert.ok(!said.includes(secret))
    assert.deepEqual(await a.client.problems(), [])
  })
})
