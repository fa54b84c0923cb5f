// shoal hooks: what is printed of them, and what its exit codes say.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, beforeEach, describe, it } from 'node:test'
import type { HookReport, HookRunReport } from '../../src/control/schema-hooks.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

let folder: string
let config: string
let backend: FakeBackend
let server: ControlServer

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-cli-'))
  config = join(folder, 'shoal.conf')
  const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
  writeFileSync(config, JSON.stringify({ storage_path: 'store', shared_folders: [{ secret, dir: 'a' }] }))
  mkdirSync(join(folder, 'store'))
})
beforeEach(async () => {
  backend = new FakeBackend()
  server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
})
afterEach(() => server.close())
after(() => rmSync(folder, { recursive: true }))

function hook(number: number, changes: Partial<HookReport> = {}): HookReport {
  return {
    number,
    match: ['postfix/**'],
    run: ['systemctl', 'reload', 'postfix'],
    ownChanges: false,
    state: 'idle',
    pending: 0,
    waitsFor: null,
    dueInMs: null,
    last: null,
    ...changes,
  }
}

function ran(changes: Partial<HookRunReport> = {}): HookRunReport {
  return {
    at: '2026-11-20T18:02:03.123Z',
    durationMs: 340,
    result: 'done',
    exit: 0,
    signal: null,
    reason: null,
    paths: 2,
    output: '',
    ...changes,
  }
}

const failed = ran({ result: 'failed', exit: 3, output: 'one\ntwo\u001b[2J\n\n3\n4\n5\n6\n' })

describe('shoal hooks', () => {
  it('prints each with its state, and the end of what it printed', async () => {
    const hooks = [
      hook(1, { last: ran() }),
      hook(2, {
        match: ['*.conf', '!x'],
        run: ['sh', '-c', "echo 'a b'"],
        state: 'retrying',
        pending: 1,
        dueInMs: 4200,
        last: failed,
      }),
    ]
    const waiting = hook(3, { state: 'waiting', pending: 4, waitsFor: '3 paths, e.g. postfix/main.cf' })
    backend.statuses = [
      status(share({ hooks }), share({ dir: '/b' }), share({ dir: '/c', hooks: [waiting] })),
    ]
    assert.deepEqual(await shoal(['hooks', config]), {
      exit: 0,
      err: '',
      out: `/data/photos
  1  systemctl reload postfix
     match     postfix/**
     state     idle
     pending   0 paths
     last run  2026-11-20T18:02:03Z, done, 0.3 s, 2 paths
  2  sh -c 'echo '\\''a b'\\'''
     match     *.conf  !x
     state     failed, runs again in 4.2 s
     pending   1 path
     last run  2026-11-20T18:02:03Z, exit code 3, 0.3 s, 2 paths
      two\\u{1b}[2J
      3
      4
      5
      6

/c
  3  systemctl reload postfix
     match    postfix/**
     state    waits for 3 paths, e.g. postfix/main.cf
     pending  4 paths
`,
    })
  })

  it('prints JSON, and says when there are none', async () => {
    backend.statuses = [status(share({ hooks: [hook(1)] }))]
    const { out } = await shoal(['hooks', config, '--json'])
    assert.deepEqual(JSON.parse(out), [{ dir: '/data/photos', ...hook(1) }])
    backend.statuses = [status(share())]
    assert.deepEqual(await shoal(['hooks', config]), { exit: 0, out: 'no hooks\n', err: '' })
  })

  it('run: asks the daemon, prints what came of it; exit code 1 if a run failed', async () => {
    const before = status(share({ hooks: [hook(1), hook(2, { state: 'failed', pending: 1, last: failed })] }))
    backend.statuses = [before, status(share({ hooks: [hook(1), hook(2, { last: ran() })] }))]
    const good = await shoal(['hooks', 'run', config, '2'])
    assert.deepEqual([good.exit, backend.calls], [0, ['status', 'hooks 2', 'status']])
    assert.match(good.out, /^\/data\/photos\n {2}2 .*\n.*\n.* idle\n/)
    assert.doesNotMatch(good.out, /^ {2}1/m)
    backend.statuses = [before]
    assert.equal((await shoal(['hooks', 'run', config])).exit, 1)
    assert.equal((await shoal(['hooks', 'run', config, '1'])).exit, 0)
    const none = await shoal(['hooks', 'run', config, '3'])
    assert.deepEqual([none.exit, none.err], [66, 'there is no hook 3, see shoal hooks\n'])
    assert.equal((await shoal(['hooks', 'run', config, 'x'])).exit, 64)
  })

  it('those that have something to do are in shoal status', async () => {
    const hooks = [
      hook(1),
      hook(2, { state: 'failed' }),
      hook(3, { state: 'waiting', waitsFor: '1 path, e.g. a' }),
    ]
    backend.statuses = [status(share({ hooks }))]
    const { out } = await shoal(['status', config])
    assert.match(out, /\n {2}hooks {6}1 idle; hook 2 failed; hook 3 waits for 1 path, e\.g\. a\n/)
  })
})
