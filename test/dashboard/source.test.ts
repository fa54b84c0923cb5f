// Asking the daemons: what is asked when, what becomes of one that does not answer, and the text form.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { describe, it } from 'node:test'
import { ShoalError } from '../../src/core/error.js'
import type { World } from '../../src/dashboard/model/world.js'
import { onceText } from '../../src/dashboard/once.js'
import { carryOut, type OrderClient } from '../../src/dashboard/orders.js'
import type { Order } from '../../src/dashboard/screens/screen.js'
import { NO_INTEREST, Source, type SourceClient } from '../../src/dashboard/source.js'
import { targetsOf } from '../../src/dashboard/targets.js'
import { FakeBackend, share, status } from '../control/fake-backend.js'
import { availability, busyWorld, conflict, daemon, NOW, shareLive, world } from './scene.js'

process.env.TZ = 'UTC'

/** Notes what it is asked. */
class FakeClient implements SourceClient {
  readonly asked: string[] = []
  failure: ShoalError | undefined
  liveFailure: ShoalError | undefined
  shares = [share({ conflicts: 1 })]

  async status(): ReturnType<SourceClient['status']> {
    this.#note('status')
    return status(...this.shares)
  }

  async live(): ReturnType<SourceClient['live']> {
    this.#note('live')
    if (this.liveFailure !== undefined) throw this.liveFailure
    return { at: '', eventLoopDelayMs: null, shares: [shareLive({ downRate: 5 })] }
  }

  async conflicts(): ReturnType<SourceClient['conflicts']> {
    this.#note('conflicts')
    return [conflict('a')]
  }

  async drift(): ReturnType<SourceClient['drift']> {
    this.#note('drift')
    return []
  }

  async availability(): ReturnType<SourceClient['availability']> {
    this.#note('availability')
    return availability(10)
  }

  #note(what: string): void {
    this.asked.push(what)
    if (this.failure !== undefined) throw this.failure
  }
}

function sourceOf(client: FakeClient): Source {
  return new Source({
    targets: [
      { name: 'a', storagePath: '/a', fault: '' },
      { name: 'b', storagePath: undefined, fault: 'line 3: not JSON' },
    ],
    clientOf: () => client,
    intervalMs: 1000,
    onChange: () => {},
    nowMs: () => NOW,
  })
}

describe('a source', () => {
  it('asks only for what is looked at', async () => {
    const client = new FakeClient()
    await sourceOf(client).once(NO_INTEREST)
    assert.deepEqual(client.asked, ['status', 'live'])
    client.asked.length = 0
    const map = { daemon: '/a', share: 0, width: 10 }
    const seen = await sourceOf(client).once({ conflicts: true, drift: true, map })
    // There is no drift by the status, so nobody is asked for a list of it.
    assert.deepEqual(client.asked, ['status', 'live', 'conflicts', 'availability'])
    assert.equal(seen.daemons[0]!.conflicts!.length, 1)
    assert.deepEqual(seen.daemons[0]!.drift, [])
    assert.equal(seen.daemons[0]!.availability[0]!.pieces, 10)
    assert.deepEqual(seen.daemons[0]!.history, [{ down: [5], up: [0] }])
  })

  it('shows a daemon that does not answer with the reason, and one whose configuration is wrong', async () => {
    const client = new FakeClient()
    const source = sourceOf(client)
    client.failure = new ShoalError('DAEMON_UNREACHABLE', 'it is not running')
    const seen = await source.once(NO_INTEREST)
    assert.deepEqual(
      seen.daemons.map(({ reach }) => reach),
      [
        { type: 'down', why: 'it is not running' },
        { type: 'down', why: 'line 3: not JSON' },
      ],
    )
    client.failure = undefined
    assert.deepEqual((await source.once(NO_INTEREST)).daemons[0]!.reach, { type: 'up' })
  })

  it('does without what a daemon of an earlier version does not tell', async () => {
    const client = new FakeClient()
    client.liveFailure = new ShoalError('NOT_FOUND', 'there is no such call in the control API')
    const [first] = (await sourceOf(client).once(NO_INTEREST)).daemons
    assert.deepEqual(first!.reach, { type: 'up' })
    assert.equal(first!.live, undefined)
  })
})

describe('orders', () => {
  it('become the calls that they say, and tell what was done', async () => {
    const backend = new FakeBackend()
    const at = { daemon: '/a', share: '/data/music' }
    const orders: readonly Order[] = [
      { type: 'acknowledge', ...at, path: 'etc/motd', reason: 'meant' },
      { type: 'withdraw', ...at, path: 'etc/motd' },
      { type: 'archive-extra', ...at, path: 'x' },
      { type: 'restore', ...at, path: 'y' },
      { type: 'approve', ...at },
      { type: 'rescan', ...at },
    ]
    const said: string[] = []
    for (const order of orders) said.push(await carryOut(backend as unknown as OrderClient, order))
    assert.deepEqual(backend.calls.slice(0, 5), [
      'acknowledge /data/music etc/motd 2592000000 meant',
      'withdraw /data/music etc/motd',
      'archive-extra /data/music x',
      'restore /data/music y',
      'approve /data/music',
    ])
    assert.equal(said[0], 'etc/motd is acknowledged for 30 days')
    assert.equal(said[3], 'y is as the share says')
  })
})

describe('the text form', () => {
  it('tells everything in sentences', () => {
    const text = onceText(busyWorld())
    const lines = [
      'shoal, 2026-11-21 20:31:05: 2 daemons, 3 shares, 8.0 MiB/s down, 256 KiB/s up',
      'Share /data/photos of laptop: syncing',
      '  missing: 34 files, 400 MiB',
      '    attic, write: unreachable for 2h 29m',
      '    phone, write: 40 files, 500 MiB behind, udx 203.0.113.7:49152, round trip 43 ms, holds 25 %, 0 B/s down, 256 KiB/s up',
      '    2026/11/日本の山/富士山の写真.jpg: 90 % of 100 MiB, 3.0 MiB/s, 25s left, from nas, phone',
      '    notes/plan.md: this by laptop, the other by phone, in notes/plan.md.conflict-phone-20261121',
      '    cover.png: changed in mode, acknowledged: shown on the wall',
      '    a/b\\u{1b}[2J.jpg: cannot write: no space left',
      '  halted: the folder has become empty',
      'Daemon server: the daemon of storage path /var/lib/shoal/server is not running',
    ]
    for (const line of lines) assert.ok(text.split('\n').includes(line), `${line}\nis not in\n${text}`)
    assert.doesNotMatch(text, /[█▁▂▃▄▅▆▇─│]/u)
  })

  it('says that nothing is missing of who writes or knows something of the share alone', () => {
    const none = {
      pieces: 0,
      bytes: 0,
      missingPieces: 0,
      missingBytes: 0,
      packs: 0,
      vaultBytes: 0,
      deadBytes: 0,
    }
    const past = { pastPieces: 0, pastBytes: 0, missingPastPieces: 0, missingPastBytes: 0 }
    const textOf = (head: string): string => {
      const blind = share({ grade: 'blind', head, members: [], blind: { isOpen: true, ...none, ...past } })
      return onceText(world(daemon('a', { status: status(blind) })))
    }
    assert.match(textOf('3f2a9c01:0102030405060708.17'), /^ {2}nothing missing$/m)
    assert.match(textOf('3f2a9c01:'), /^ {2}not known yet what is missing$/m)
    const reads = (grade: 'read' | 'write'): string =>
      onceText(world(daemon('a', { status: status(share({ grade, head: '3f2a9c01:', members: [] })) })))
    assert.match(reads('read'), /^ {2}not known yet what is missing$/m)
    assert.match(reads('write'), /^ {2}nothing missing$/m)
  })

  it('tells of no more than can be read', () => {
    const drift = Array.from({ length: 50 }, (_, at) => ({
      ...busyWorld().daemons[0]!.drift![0]!,
      path: `f${at}`,
      dir: '/data/photos',
    }))
    const of: World = world(daemon('a', { drift }))
    assert.match(onceText(of), /and 30 more/)
  })
})

describe('the daemons that are meant', () => {
  it('are those of named configurations and of folders of them, each once', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-dashboard-'))
    try {
      const conf = (name: string): string => {
        const file = path.join(folder, `${name}.conf`)
        fs.writeFileSync(file, `{ "storage_path": "${folder}/${name}", "shared_folders": [] }\n`, {
          mode: 0o600,
        })
        return file
      }
      const [a] = [conf('a'), conf('b')]
      fs.writeFileSync(path.join(folder, 'wrong.conf'), '{', { mode: 0o600 })
      const parts = path.join(folder, 'c.conf')
      fs.mkdirSync(`${parts}.d`)
      fs.writeFileSync(path.join(`${parts}.d`, '10.part'), `{ "storage_path": "${folder}/c" }\n`, {
        mode: 0o600,
      })
      assert.deepEqual(
        (await targetsOf([parts], {})).map(({ name, storagePath }) => [name, storagePath]),
        [['c', `${folder}/c`]],
      )
      fs.rmSync(`${parts}.d`, { recursive: true })
      const found = await targetsOf([folder, a], {})
      assert.deepEqual(
        found.map(({ name, storagePath }) => [name, storagePath]),
        [
          ['a', `${folder}/a`],
          ['b', `${folder}/b`],
          ['wrong', undefined],
        ],
      )
      assert.match(found[2]!.fault, /wrong\.conf/)
      await assert.rejects(targetsOf([path.join(folder, 'none')], {}), { code: 'CONFIG_UNREADABLE' })
      fs.mkdirSync(path.join(folder, 'empty'))
      await assert.rejects(targetsOf([path.join(folder, 'empty')], {}), { code: 'NOT_FOUND' })
    } finally {
      fs.rmSync(folder, { recursive: true })
    }
  })
})
