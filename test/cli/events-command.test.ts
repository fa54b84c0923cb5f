import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import { readEvents } from '../../src/control/event-client.js'
import type { EventFact } from '../../src/control/schema-events.js'
import { eventOf } from '../../src/control/schema-events.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { ShoalError } from '../../src/core/error.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { eventsPage } from '../../src/daemon/control/events-page.js'
import { EventBook } from '../../src/daemon/events.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

const AT = Date.parse('2026-11-20T18:02:03.000Z')
/** One of each. */
const FACTS: readonly EventFact[] = [
  { type: 'changed', count: 1, paths: ['a'], from: 'nas' },
  { type: 'changed', count: 7, paths: ['a', 'b'], from: null },
  { type: 'applied', count: 2, paths: ['a', 'b'], bytes: 2048 },
  { type: 'applied', count: 1, paths: ['gone'], bytes: 0 },
  { type: 'conflict', path: 'n.txt', copy: 'n.conflict-20261120-180203-nas.txt' },
  { type: 'drift', count: 1, paths: ['etc/motd'], open: 3 },
  { type: 'problem', path: 'a\u001b[2J', code: 'EACCES', detail: 'permission denied' },
  { type: 'problem-gone', path: '', code: 'HALTED', detail: 'the marker is missing' },
  { type: 'peer-connected', device: 'b'.repeat(64), name: 'nas', transport: 'tcp', address: '10.0.0.2:5' },
  { type: 'peer-moved', device: 'b'.repeat(64), name: 'nas', transport: 'tcp', address: '10.0.0.2:5' },
  { type: 'peer-left', device: 'b'.repeat(64), name: 'nas', reason: 'connection closed' },
  { type: 'state', state: 'idle', before: 'syncing' },
  { type: 'release', name: 'v1' },
  { type: 'hook', hook: 'reload', outcome: 'done after 0.1 s' },
  { type: 'paused' },
  { type: 'resumed' },
]

let folder: string
let config: string
let book: EventBook
let server: ControlServer

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-events-'))
  config = join(folder, 'shoal.conf')
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
  writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: [{ secret, dir: 'a' }] }))
})
beforeEach(async () => {
  const storagePath = join(folder, 'store')
  mkdirSync(storagePath, { recursive: true })
  book = new EventBook({ nowMs: () => AT })
  const backend = new FakeBackend()
  server = await serveControl({ storagePath, backend, pages: [eventsPage(book)], log: silentLog })
})
afterEach(() => server.close())
after(() => rmSync(folder, { recursive: true }))

describe('shoal events', () => {
  it('prints a line for each event, and no control character of anybody', async () => {
    for (const fact of FACTS) book.add('/d', fact)
    const { exit, out, err } = await shoal(['events', config])
    assert.deepEqual([exit, err], [0, ''])
    const start = '2026-11-20T18:02:03Z /d: '
    assert.deepEqual(
      out.split('\n').map((line) => line.replace(start, '')),
      [
        'changed by nas: a',
        'changed here: 7 paths, e.g. a, b',
        'applied: a, b, 2.0 KiB',
        'applied: gone',
        'conflict: n.txt, the other version is n.conflict-20261120-180203-nas.txt',
        'drift: etc/motd; 3 not acknowledged',
        'problem: a\\u{1b}[2J: permission denied (EACCES)',
        'no longer a problem: the marker is missing (HALTED)',
        'nas connected (bbbbbbbb, tcp 10.0.0.2:5)',
        'nas is reached by another connection (bbbbbbbb, tcp 10.0.0.2:5)',
        'nas left (bbbbbbbb): connection closed',
        'idle, was syncing',
        'shows release v1',
        'hook reload: done after 0.1 s',
        'paused',
        'resumed',
        '',
      ],
    )
  })

  it('--json prints an event to a line, --after what came since, with a gap where some is missing', async () => {
    for (const fact of FACTS.slice(0, 3)) book.add(null, fact)
    const { out } = await shoal(['events', config, '--json', '--after', String(AT)])
    const told = out.trim().split('\n')
    assert.deepEqual(
      told.map((line) => eventOf(JSON.parse(line))?.id),
      [AT + 1, AT + 2],
    )
    const early = await shoal(['events', config, '--after', '5'])
    assert.match(early.out, /^\S+ what happened before is not known any more\n\S+ changed by nas: a\n/)
    const { exit, err } = await shoal(['events', config, '--after', 'x'])
    assert.equal(exit, 64)
    assert.match(err, /id of an event/)
  })

  it('a follower hears of what comes, until it gives up', async () => {
    const control = new AbortController()
    const told: string[] = []
    const reading = (async () => {
      for await (const event of readEvents(join(folder, 'store'), { signal: control.signal })) {
        told.push(event.type)
        if (told.length === 1) book.add('/d', { type: 'resumed' })
        else control.abort()
      }
    })()
    book.add('/d', { type: 'paused' })
    await reading
    assert.deepEqual(told, ['paused', 'resumed'])
  })

  it('a follower is told when the daemon ends, and when there is none', async () => {
    book.add('/d', { type: 'paused' })
    const isUnreachable = (thrown: unknown): boolean =>
      thrown instanceof ShoalError && thrown.code === 'DAEMON_UNREACHABLE'
    const events = readEvents(join(folder, 'store'))
    await events.next()
    const ended = assert.rejects(events.next(), isUnreachable)
    await server.close()
    await ended
    const { exit } = await shoal(['events', config])
    assert.equal(exit, 69)
  })
})

it('events of later versions, and what is none, are passed over', () => {
  const event = { id: 1, at: 'now', dir: null, type: 'paused' }
  assert.deepEqual(eventOf(event), event)
  assert.deepEqual(eventOf({ ...event, more: 1 }), { ...event, more: 1 })
  for (const other of [undefined, 'x', { ...event, type: 'later' }, { ...event, type: 'toString' }])
    assert.equal(eventOf(other), undefined)
  assert.equal(eventOf({ ...event, type: 'changed', count: 'x', paths: [], from: null }), undefined)
})
