// Hooks of real daemons: never on half a batch, failures and how they go on, own changes, a daemon that stops.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, eventually, withWorld } from '../support/daemons.js'
import { notedRuns, notingHook } from './hook-rounds.js'

test('a batch whose source is gone half-way runs no hook until all of it is there; status says what for', () =>
  withWorld({}, async (world) => {
    const log = path.join(world.root, 'reader.log')
    const writer = await world.node('writer')
    const reader = await world.node('reader', {
      grade: 'read',
      share: { on_change: [notingHook(world, log)] },
    })
    // The reader learns of the batch while nobody has the content: the file is published, and then lost before it is sent.
    await writer.start()
    await reader.start()
    writer.write('batch/small', '1\n')
    await converged([writer, reader])
    await eventually('the first batch', () => notedRuns(log).length === 1)
    process.kill(reader.pid, 'SIGSTOP')
    for (let i = 0; i < 4; i++) writer.write(`batch/big${i}`, `2\n${String(i).repeat(20_000_000)}`)
    writer.write('batch/small', '2\n')
    await writer.client.settle()
    process.kill(reader.pid, 'SIGCONT')
    await eventually('the reader knows of the batch', async () => (await reader.share()).needFiles > 0)
    await writer.kill()
    const { hooks, needFiles } = await reader.share()
    assert.ok(needFiles > 0, 'it was killed too late')
    if (hooks[0]!.pending > 0) assert.match(hooks[0]!.waitsFor ?? '', /^\d paths?, e\.g\. batch\//)
    const ran = await world.run(['hooks', 'run', '--quiet', reader.configFile, '1'])
    assert.deepEqual([ran.exit, ran.err], [0, ''])
    assert.equal(notedRuns(log).length, 1, 'not even when asked')
    await writer.start()
    await eventually('the whole batch', () => notedRuns(log).length > 1)
    const [, run, ...more] = notedRuns(log)
    assert.deepEqual([run?.numbers, more], [['2'], []])
    assert.deepEqual(
      run?.paths.filter((each) => each !== 'batch'),
      [...['batch/big0', 'batch/big1', 'batch/big2', 'batch/big3', 'batch/small']],
    )
  }))

test('failures are in status and shoal hooks; changed settings are taken over; shoal hooks run tries again', () =>
  withWorld({}, async (world) => {
    const flag = path.join(world.root, 'good')
    const hook = {
      match: ['*.conf', '!skip.conf'],
      run: ['sh', '-c', `cat; echo not yet; test -e ${flag} || exit 9`],
      settle: '0ms',
      retry: { times: 0 },
    }
    const [writer, reader] = await world.start(['writer', 'reader'], (name) =>
      name === 'reader' ? { share: { on_change: [hook] } } : {},
    )
    writer!.write('a.conf', 'x')
    writer!.write('skip.conf', 'x')
    await eventually('it failed', async () => (await reader!.share()).hooks[0]!.state === 'failed')
    const { problems } = await reader!.share()
    assert.deepEqual(
      problems.map(({ path: at, code }) => [at, code]),
      [['on_change[0]', 'HOOK_FAILED']],
    )
    const listed = await world.run(['hooks', reader!.configFile])
    assert.equal(listed.exit, 0)
    assert.match(
      listed.out,
      /^ {2}1 {2}sh -c '.*'\n {5}match {5}\*\.conf {2}!skip\.conf\n {5}state {5}failed\n {5}pending {3}1 path\n {5}last run .*, exit code 9, .* s, 1 path\n {6}a\.conf\\u\{0\}not yet\n$/m,
    )
    const again = await world.run(['hooks', 'run', reader!.configFile])
    assert.equal(again.exit, 1)
    fs.writeFileSync(flag, '')
    const third = await world.run(['hooks', 'run', reader!.configFile, '1', '--json'])
    assert.equal(third.exit, 0)
    const [report] = JSON.parse(third.out) as { state: string; dir: string; last: { result: string } }[]
    assert.deepEqual([report?.state, report?.dir, report?.last.result], ['idle', reader!.dir, 'done'])
    assert.deepEqual((await reader!.share()).problems, [])
    assert.equal((await world.run(['hooks', 'run', reader!.configFile, '2'])).exit, 66)
    // Another program, without a restart.
    const other = path.join(world.root, 'other')
    reader!.writeConfig({ share: { on_change: [{ ...hook, run: ['tee', other] }] } })
    process.kill(reader!.pid, 'SIGHUP')
    await reader!.logged(/on_change/)
    writer!.write('b.conf', 'x')
    await eventually(
      'the other ran',
      () => fs.existsSync(other) && fs.readFileSync(other, 'utf8') === 'b.conf\0',
    )
  }))

test('own changes count where that is asked for; a hook that runs when the daemon ends is run again, never twice at once', () =>
  withWorld({}, async (world) => {
    const log = path.join(world.root, 'log')
    const slow = { match: 'slow', run: ['sh', '-c', `echo $$ >> ${log}; sleep 1000`], settle: '0ms' }
    const own = path.join(world.root, 'own')
    const hooks = [
      { ...slow, own_changes: true },
      { match: '*', run: ['tee', own], settle: '0ms', own_changes: true },
    ]
    const [node] = await world.start(['one'], { share: { on_change: hooks } })
    node!.write('x', 'x')
    await eventually('it ran', () => fs.existsSync(own) && fs.readFileSync(own, 'utf8') === 'x\0')
    node!.write('slow', 'x')
    await eventually('it began', () => fs.existsSync(log))
    assert.equal(await node!.stop(), 0)
    await node!.start()
    const pids = (): number[] => fs.readFileSync(log, 'utf8').split('\n').filter(Boolean).map(Number)
    await eventually('it began again', () => pids().length === 2)
    assert.equal(isThere(pids()[0]!), false)
    // One that a killed daemon has left is ended before it runs again.
    await node!.kill()
    assert.equal(isThere(pids()[1]!), true)
    await node!.start()
    await eventually('it began once more', () => pids().length === 3)
    assert.equal(isThere(pids()[1]!), false)
  }))

function isThere(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}
