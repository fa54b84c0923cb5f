// Hooks of a share over tables in memory, with real programs: what they are told of, when not, how failures go on, and what
// an earlier process left.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { HookSpec } from '../../src/core/hook.js'
import { parsePath, type RelPath } from '../../src/core/path.js'
import type { HookView } from '../../src/hooks/hook.js'
import { HookTable } from '../../src/hooks/hook-table.js'
import { Hooks, type HooksOptions } from '../../src/hooks/hooks.js'
import { HookSlots } from '../../src/hooks/slots.js'
import type { LogFields } from '../../src/ports/log.js'
import { silentLog } from '../../src/ports/log.js'
import { MemoryDatabase } from '../../src/store/memory.js'
import { until } from '../support/until.js'

let folder: string
let database: MemoryDatabase
let open: Hooks[]
let wanted: Set<RelPath>
let problems: Map<string, string>
let around: ReturnType<HooksOptions['around']>
let slots: HookSlots
let lines: LogFields[]

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-hooks-'))
  database = new MemoryDatabase()
  open = []
  wanted = new Set()
  problems = new Map()
  around = { halted: undefined, isReady: true, isBehind: false }
  slots = new HookSlots()
  lines = []
})
afterEach(async () => {
  await Promise.all(open.map((hooks) => hooks.stop()))
  fs.rmSync(folder, { recursive: true })
})

/** A hook whose program adds a line of what it was told of to a file, and then does something more. */
function noting(name: string, changes: Partial<HookSpec> = {}, more = ''): HookSpec {
  const script = `tr '\\0' ' ' >> ${folder}/${name}; echo >> ${folder}/${name}; ${more}`
  return {
    match: ['**'],
    run: ['sh', '-c', script],
    settleMs: 0,
    timeoutMs: 60_000,
    retry: { times: 0, waitMs: 100 },
    ownChanges: false,
    cwd: undefined,
    env: {},
    ...changes,
  }
}

function hooksOf(...specs: HookSpec[]): Hooks {
  const hooks = new Hooks({
    dir: folder,
    share: 'abcd',
    scratch: folder,
    log: { ...silentLog, info: (fields) => lines.push(fields) },
    slots,
    nowMs: Date.now,
    environment: { PATH: process.env.PATH },
    around: () => around,
    wanted: () => wanted,
    tell: (hook, problem) => {
      if (problem === undefined) problems.delete(hook)
      else problems.set(hook, problem)
    },
    transaction: (body) => database.transaction(body),
    fail: (thrown) => assert.fail(String(thrown)),
    database,
    prefix: 's:',
    specs,
    before: 0,
  })
  open.push(hooks)
  return hooks
}

function change(hooks: Hooks, ...paths: string[]): void {
  database.transaction(() => {
    for (const each of paths) hooks.noteChange(parsePath(each), 'share')
  })
}

function want(hooks: Hooks, name: string, isWanted: boolean): void {
  if (isWanted) wanted.add(parsePath(name))
  else wanted.delete(parsePath(name))
  hooks.noteWanted(parsePath(name), isWanted)
}

function noted(name: string): string[] {
  const file = path.join(folder, name)
  return fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
}

function view(hooks: Hooks, at = 0): HookView {
  return hooks.views()[at]!
}

const isIdle = (hooks: Hooks) => (): boolean => hooks.views().every(({ state }) => state === 'idle')

describe('hooks', () => {
  it('are told of all that changed and matches, sorted, once each', async () => {
    const hooks = hooksOf(
      noting('conf', { match: ['*.conf'] }),
      noting('all'),
      noting('none', { match: ['x'] }),
    )
    hooks.start()
    change(hooks, 'b.conf', 'a.txt', 'a.conf', 'b.conf')
    await until('both ran', () => noted('all').length === 1 && noted('conf').length === 1)
    assert.deepEqual(
      [noted('conf'), noted('all'), noted('none')],
      [['a.conf b.conf '], ['a.conf a.txt b.conf '], []],
    )
    await until('idle', isIdle(hooks))
    assert.deepEqual(
      hooks.views().map(({ last }) => [last?.result, last?.count]),
      [
        ['done', 2],
        ['done', 3],
        [undefined, undefined],
      ],
    )
  })

  it('are not for own changes unless asked', async () => {
    const hooks = hooksOf(noting('others'), noting('own', { ownChanges: true }))
    hooks.start()
    database.transaction(() => hooks.noteChange(parsePath('a'), 'user'))
    await until('one ran', () => noted('own').length === 1)
    assert.deepEqual([noted('own'), view(hooks).pending], [['a '], 0])
  })

  it('wait until all that matches is there, and say for what', async () => {
    const hooks = hooksOf(noting('log', { match: ['etc'] }))
    hooks.start()
    want(hooks, 'etc/a', true)
    want(hooks, 'etc/b', true)
    want(hooks, 'other', true)
    change(hooks, 'etc/c')
    await hooks.ask()
    assert.deepEqual([view(hooks).state, view(hooks).waitsFor], ['waiting', '2 paths, e.g. etc/a'])
    change(hooks, 'etc/a')
    want(hooks, 'etc/a', false)
    await hooks.ask()
    assert.deepEqual([view(hooks).waitsFor, noted('log')], ['1 path, e.g. etc/b', []])
    change(hooks, 'etc/b')
    want(hooks, 'etc/b', false)
    await until('it ran', () => noted('log').length === 1)
    assert.deepEqual(noted('log'), ['etc/a etc/b etc/c '])
  })

  it('know what was wanted before they were made', async () => {
    wanted.add(parsePath('a'))
    const hooks = hooksOf(noting('log'))
    hooks.start()
    change(hooks, 'b')
    await hooks.ask()
    assert.deepEqual(view(hooks).waitsFor, '1 path, e.g. a')
  })

  it('wait for feeds, the first look and a halt to end', async () => {
    const hooks = hooksOf(noting('log'))
    hooks.start()
    change(hooks, 'a')
    for (const now of [{ isBehind: true }, { isReady: false }, { halted: 'gone' }]) {
      around = { halted: undefined, isReady: true, isBehind: false, ...now }
      await hooks.ask()
      assert.equal(view(hooks).state, 'waiting', JSON.stringify(now))
    }
    assert.deepEqual(noted('log'), [])
    around = { halted: undefined, isReady: true, isBehind: false }
    hooks.wake()
    await until('it ran', () => noted('log').length === 1)
  })

  it('that fail are tried again, then stay failed and are told of until they do well', async () => {
    const flag = path.join(folder, 'good')
    const more = `echo trying; test -e ${flag} || exit 7`
    const hooks = hooksOf(noting('log', { retry: { times: 2, waitMs: 1 } }, more))
    hooks.start()
    change(hooks, 'a')
    await until('failed', () => view(hooks).state === 'failed')
    assert.deepEqual([noted('log'), view(hooks).pending], [['a ', 'a ', 'a '], 1])
    assert.match(problems.get('on_change[0]') ?? '', /^sh: exit code 7 after /)
    assert.deepEqual([view(hooks).last?.exit, view(hooks).last?.output], [7, 'trying\n'])
    fs.writeFileSync(flag, '')
    change(hooks, 'b')
    await until('it did well', isIdle(hooks))
    assert.deepEqual([noted('log').at(-1), problems.size, view(hooks).pending], ['a b ', 0, 0])
  })

  it('that failed run again when asked', async () => {
    const flag = path.join(folder, 'good')
    const hooks = hooksOf(noting('log', {}, `test -e ${flag}`), noting('other'))
    hooks.start()
    change(hooks, 'a')
    await until('failed', () => view(hooks).state === 'failed' && view(hooks, 1).state === 'idle')
    await hooks.ask(1)
    assert.equal(noted('log').length, 2)
    fs.writeFileSync(flag, '')
    await hooks.ask()
    assert.deepEqual([view(hooks).state, noted('log'), noted('other')], ['idle', ['a ', 'a ', 'a '], ['a ']])
  })

  it('run one at a time each; what changes meanwhile is the next batch', async () => {
    const go = path.join(folder, 'go')
    const hooks = hooksOf(
      noting('log', {}, `until test -e ${go}; do sleep 0.02; done; echo end >> ${folder}/log`),
    )
    hooks.start()
    change(hooks, 'a')
    await until('it began', () => noted('log').length === 1)
    change(hooks, 'b', 'a')
    assert.equal(view(hooks).state, 'running')
    fs.writeFileSync(go, '')
    await until('both ran', () => noted('log').length === 4)
    assert.deepEqual(noted('log'), ['a ', 'end', 'a b ', 'end'])
  })

  it('run side by side, but only so many', async () => {
    slots = new HookSlots(2)
    const go = path.join(folder, 'go')
    const wait = `until test -e ${go}; do sleep 0.02; done`
    const hooks = hooksOf(...['0', '1', '2', '3'].map((name) => noting(name, {}, wait)))
    hooks.start()
    change(hooks, 'a')
    const running = (): number => hooks.views().filter(({ state }) => state === 'running').length
    await until('two run', () => running() === 2)
    assert.equal(hooks.views().filter(({ state }) => state === 'waiting').length, 2)
    fs.writeFileSync(go, '')
    await until('all ran', isIdle(hooks))
    assert.deepEqual(
      ['0', '1', '2', '3'].map((name) => noted(name).length),
      [1, 1, 1, 1],
    )
  })

  it('left by a process that died run in the next one', async () => {
    const before = hooksOf(noting('log'))
    // Never started: the process dies between the change and the run.
    change(before, 'a', 'b')
    const hooks = hooksOf(noting('log'))
    hooks.start()
    await until('it ran', () => noted('log').length === 1)
    assert.deepEqual(noted('log'), ['a b '])
    await until('idle', isIdle(hooks))
    const third = hooksOf(noting('log'))
    third.start()
    await third.ask()
    assert.deepEqual([noted('log').length, view(third).last?.result], [1, 'done'])
  })

  it('that an earlier process began are ended before they run again', async () => {
    const env = { PATH: process.env.PATH, SHOAL_RUN: randomUUID() }
    const sleeper = spawn('sleep', ['1000'], { detached: true, stdio: 'ignore', env })
    const gone = new Promise<void>((resolve) => sleeper.once('exit', () => resolve()))
    const spec = noting('log')
    change(hooksOf(spec), 'a')
    const [id] = new HookTable(database, 's:').ids()
    const rows = new HookTable(database, 's:').rows(id!)
    rows.begin(env.SHOAL_RUN)
    const hooks = hooksOf(spec)
    hooks.start()
    await gone
    await until('it ran', () => noted('log').length === 1)
  })

  it('that are stopped with the daemon run again', async () => {
    const hooks = hooksOf(noting('log', {}, 'sleep 1000'))
    hooks.start()
    change(hooks, 'a')
    await until('it began', () => noted('log').length === 1)
    await hooks.stop()
    const next = hooksOf(noting('log', {}, 'sleep 1000'))
    assert.deepEqual([view(next).pending, view(next).last?.result, problems.size], [1, 'stopped', 0])
  })

  it('change while the share runs: other times are the same hook, another program gets what was pending', async () => {
    const hooks = hooksOf(noting('old', {}, 'exit 1'))
    hooks.start()
    change(hooks, 'a')
    await until('failed', () => view(hooks).state === 'failed')
    hooks.set([noting('old', { timeoutMs: 1000 }, 'exit 1')], 4)
    assert.deepEqual([view(hooks).number, view(hooks).last?.exit, view(hooks).pending], [5, 1, 1])
    hooks.set([noting('new')], 0)
    await until('the new one ran', () => noted('new').length === 1)
    assert.deepEqual([noted('new'), noted('old'), problems.size], [['a '], ['a '], 0])
    hooks.set([], 0)
    assert.deepEqual(hooks.views(), [])
    change(hooks, 'b')
  })

  it('that another configuration had leave what is pending to those that match it', async () => {
    change(hooksOf(noting('old')), 'x/a', 'y/b')
    const hooks = hooksOf(noting('new', { match: ['x'] }))
    hooks.start()
    await until('it ran', () => noted('new').length === 1)
    assert.deepEqual(noted('new'), ['x/a '])
    assert.equal(new HookTable(database, 's:').ids().length, 1)
  })

  it('are told of what is no path of the index, too', async () => {
    const hooks = hooksOf(noting('log', { match: ['current'] }))
    hooks.start()
    hooks.noteChanged([parsePath('current')])
    await until('it ran', () => noted('log').length === 1)
    assert.deepEqual(noted('log'), ['current '])
  })

  it('have what they print in the log, and their call in the environment', async () => {
    const script = 'echo $SHOAL_HOOK $SHOAL_COUNT $SHOAL_SHARE $SHOAL_DIR $(pwd) $EXTRA'
    const hooks = hooksOf({ ...noting('log'), run: ['sh', '-c', script], env: { EXTRA: 'more' } })
    hooks.start()
    change(hooks, 'a', 'b')
    await until('idle', isIdle(hooks))
    const output = lines.filter((fields) => 'line' in fields)
    assert.deepEqual(output, [{ hook: 1, stream: 'stdout', line: `1 2 abcd ${folder} ${folder} more` }])
  })

  it('that cannot start are failures that say why', async () => {
    const hooks = hooksOf({ ...noting('log'), run: ['no-such-program-here'] })
    hooks.start()
    change(hooks, 'a')
    await until('failed', () => view(hooks).state === 'failed')
    assert.equal(
      problems.get('on_change[0]'),
      'no-such-program-here: did not start: no-such-program-here is not found',
    )
  })
})
