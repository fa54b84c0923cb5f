// shoal up over real daemons: each a process of bin/shoal on loopback, nothing on the network, all ended by pid.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { controlClient } from '../../src/control/client.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { SupervisorClient } from '../../src/supervisor/client.js'
import type { InstanceReport, InstanceState, SupervisorReport } from '../../src/supervisor/report.js'
import { eventually } from '../support/daemons.js'
import { repository } from '../support/repository.js'

const SHOAL = fileURLToPath(new URL('bin/shoal', repository))
/** Generous: fifteen processes at once on a machine that is busy with other tests. */
const PATIENCE_MS = 120_000

/** A folder of configurations, and what runs them. */
class Fleet {
  readonly root: string = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-up-'))
  readonly folder: string = path.join(this.root, 'etc')
  readonly state: string = path.join(this.root, 'state')
  readonly client: SupervisorClient = new SupervisorClient(this.state, this.folder)
  readonly log: string[] = []
  readonly #supervisors: ChildProcess[] = []
  /** Every process that was seen, to be ended however the test does. */
  readonly #pids = new Set<number>()

  constructor() {
    fs.mkdirSync(this.folder)
  }

  write(name: string, changes: Record<string, unknown> = {}): void {
    const dir = path.join(this.root, 'shares', name)
    fs.mkdirSync(dir, { recursive: true })
    fs.writeFileSync(path.join(dir, 'hello'), name)
    const secret = formatSecret(writeSecretOf(crypto.getRandomValues(Buffer.alloc(32))))
    const config = {
      device_name: name,
      listen_host: '127.0.0.1',
      interfaces: [],
      storage_path: path.join(this.root, 'storage', name),
      shared_folders: [{ secret, dir, search_lan: false }],
      ...changes,
    }
    fs.writeFileSync(path.join(this.folder, `${name}.conf`), JSON.stringify(config), { mode: 0o600 })
  }

  up(args: readonly string[] = []): ChildProcess {
    const child = spawn(SHOAL, ['up', this.folder, '--state', this.state, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH}:${path.dirname(process.execPath)}` },
    })
    let rest = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      this.log.push(...lines)
    })
    this.#supervisors.push(child)
    return child
  }

  async report(): Promise<SupervisorReport | undefined> {
    const report = await this.client.report().catch(() => undefined)
    for (const { pid } of report?.instances ?? []) if (pid !== null) this.#pids.add(pid)
    return report
  }

  async instance(name: string): Promise<InstanceReport | undefined> {
    return (await this.report())?.instances.find((each) => each.name === name)
  }

  /** Resolves when so many are in each of these states, and none in another. */
  counts(expected: Partial<Record<InstanceState, number>>): Promise<SupervisorReport> {
    const text = JSON.stringify(expected)
    return eventually(
      `states ${text}`,
      async () => {
        const report = await this.report()
        const found: Partial<Record<InstanceState, number>> = {}
        for (const { state } of report?.instances ?? []) found[state] = (found[state] ?? 0) + 1
        const isSame = Object.entries({ ...expected, ...found }).every(
          ([state]) => found[state as InstanceState] === expected[state as InstanceState],
        )
        return isSame ? report : undefined
      },
      PATIENCE_MS,
    )
  }

  async run(args: readonly string[]): Promise<{ exit: number | null; out: string; err: string }> {
    const child = spawn(SHOAL, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, PATH: `${process.env.PATH}:${path.dirname(process.execPath)}` },
    })
    let [out, err] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text
    })
    const exit = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { exit, out, err }
  }

  async close(): Promise<void> {
    for (const child of this.#supervisors)
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL')
        await new Promise((resolve) => child.once('exit', resolve))
      }
    for (const pid of this.#pids) if (isOurs(pid, this.folder)) process.kill(pid, 'SIGKILL')
    await eventually('all ended', () => [...this.#pids].every((pid) => !isOurs(pid, this.folder)))
    fs.rmSync(this.root, { recursive: true, force: true, maxRetries: 3 })
  }
}

/** Whether a process runs a configuration of this folder; its number may be another's by now. */
function isOurs(pid: number, folder: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder)
  } catch {
    return false
  }
}

/** All processes that run a configuration of this folder. */
function processesOf(folder: string): number[] {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const args = fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return args.includes('run') && args.some((arg) => arg.startsWith(`${folder}/`))
      } catch {
        return false
      }
    })
}

async function withFleet(body: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = new Fleet()
  try {
    await body(fleet)
  } catch (thrown) {
    console.error(fleet.log.slice(-60).join('\n'))
    throw thrown
  } finally {
    await fleet.close()
  }
}

function exitOf(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', resolve))
}

const needsProc = { skip: fs.existsSync('/proc/self/cmdline') ? false : 'needs /proc' }

test(
  'shoal up: fifteen configurations; a wrong one is told, a crashed one comes back, down ends all',
  needsProc,
  () =>
    withFleet(async (fleet) => {
      const names = Array.from({ length: 13 }, (_, i) => `app${String(i).padStart(2, '0')}`)
      for (const name of names) fleet.write(name)
      // One that the supervisor sees itself, and one that only its daemon does.
      fleet.write('badsecret', {
        shared_folders: [{ secret: 'shoalw1nosecret', dir: path.join(fleet.root, 'x') }],
      })
      fs.writeFileSync(path.join(fleet.root, 'wrong.secret'), 'shoalw1nosecret', { mode: 0o600 })
      fleet.write('badfile', {
        shared_folders: [
          { secret: { file: path.join(fleet.root, 'wrong.secret') }, dir: path.join(fleet.root, 'y') },
        ],
      })
      const supervisor = fleet.up()
      const report = await fleet.counts({ running: 13, failed: 2 })
      assert.equal(report.instances.length, 15)
      assert.equal(new Set(report.instances.flatMap(({ pid }) => pid ?? [])).size, 13)
      assert.equal(new Set(report.instances.flatMap(({ port }) => port ?? [])).size, 13)
      const reasonOf = (name: string): string | null | undefined =>
        report.instances.find((each) => each.name === name)?.reason
      assert.match(reasonOf('badsecret')!, /badsecret\.conf:1:\d+: shared_folders\[0\]\.secret/)
      assert.match(reasonOf('badfile')!, /wrong\.secret/)
      assert.doesNotMatch(JSON.stringify(report) + fleet.log.join(''), /nosecret/)

      const victim = report.instances.find(({ name }) => name === 'app05')!
      process.kill(victim.pid!, 'SIGKILL')
      const back = await eventually(
        'app05 is back',
        async () => {
          const now = await fleet.instance('app05')
          return now?.state === 'running' && now.pid !== victim.pid ? now : undefined
        },
        PATIENCE_MS,
      )
      assert.equal(back.restarts, 1)
      const told = fleet.log.find((line) => line.includes('will be restarted') && line.includes('app05'))!
      const { restartInMs, reason } = JSON.parse(told) as { restartInMs: number; reason: string }
      assert.ok(restartInMs > 400 && restartInMs <= 1000, told)
      assert.equal(reason, 'SIGKILL')
      // The others never noticed.
      const others = (await fleet.report())!.instances.filter(({ name }) => name !== 'app05')
      assert.ok(others.every(({ restarts, pid, name }) => restarts === 0 && pid === pidIn(report, name)))

      const ps = await fleet.run(['ps', '--dir', fleet.folder, '--state', fleet.state])
      assert.equal(ps.exit, 0)
      assert.match(ps.out, /^NAME +USER +STATE +PID +UP +RESTARTS +PORT +MEMORY +SHARES$/m)
      assert.match(ps.out, /^app05 .* running +\d+ .* 1 +\d+ +\d.* MiB +1 \w+$/m)
      assert.match(ps.out, /^badsecret .* failed /m)

      const down = await fleet.run(['down', '--dir', fleet.folder, '--state', fleet.state])
      assert.deepEqual([down.exit, down.err], [0, ''])
      assert.equal(await exitOf(supervisor), 0)
      assert.deepEqual(processesOf(fleet.folder), [])
      // What a daemon logs comes through with its name, whole.
      const lines = fleet.log
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
      for (const name of names)
        assert.ok(
          lines.some(({ instance, msg }) => instance === name && msg === 'ready'),
          name,
        )
    }),
)

function pidIn(report: SupervisorReport, wanted: string): number | null | undefined {
  return report.instances.find(({ name }) => name === wanted)?.pid
}

test('shoal up: killed with -9, no daemon outlives it; the next one has each running once', needsProc, () =>
  withFleet(async (fleet) => {
    for (const name of ['a', 'b', 'c']) fleet.write(name)
    const first = fleet.up()
    await fleet.counts({ running: 3 })
    const refused = await fleet.run(['up', fleet.folder, '--state', fleet.state])
    assert.equal(refused.exit, 75)
    assert.ok(refused.err.includes(`(pid ${first.pid})`), refused.err)
    const before = processesOf(fleet.folder)
    assert.equal(before.length, 3)
    first.kill('SIGKILL')
    await exitOf(first)
    // At once: those of the first are still about to stop.
    const second = fleet.up()
    const report = await fleet.counts({ running: 3 })
    await eventually('the first ones have ended', () => before.every((pid) => !isOurs(pid, fleet.folder)))
    const now = processesOf(fleet.folder).sort()
    assert.deepEqual(now, report.instances.map(({ pid }) => pid).sort())
    assert.ok(now.every((pid) => !before.includes(pid)))
    for (const { storagePath, pid } of report.instances)
      assert.equal((await controlClient(storagePath!).status()).pid, pid)
    second.kill('SIGTERM')
    assert.equal(await exitOf(second), 0)
    assert.deepEqual(processesOf(fleet.folder), [])
  }),
)

test(
  'shoal up: --only and AUTOSTART; SIGHUP starts what is new and stops what is gone; down NAME',
  needsProc,
  () =>
    withFleet(async (fleet) => {
      for (const name of ['a', 'b', 'c']) fleet.write(name)
      const defaults = path.join(fleet.root, 'default')
      fs.writeFileSync(defaults, 'AUTOSTART="none"\n')
      const missing = await fleet.run(['up', fleet.folder, '--state', fleet.state, '--only', 'a', 'z'])
      assert.deepEqual(
        [missing.exit, missing.err],
        [66, `there is no configuration "z" in ${fleet.folder}\n`],
      )
      const only = fleet.up(['--defaults', defaults, '--only', 'a'])
      await fleet.counts({ running: 1, 'not-autostarted': 2 })
      await fleet.client.down([])
      assert.equal(await exitOf(only), 0)

      fs.writeFileSync(defaults, 'AUTOSTART="a b d e"\n')
      const some = fleet.up(['--defaults', defaults])
      await fleet.counts({ running: 2, 'not-autostarted': 1 })
      await assert.rejects(fleet.client.down(['nobody']), /there is no instance "nobody" here/)
      fleet.write('d')
      // It wants the storage of one that runs: that one goes on, this one is refused.
      fleet.write('e', { storage_path: path.join(fleet.root, 'storage', 'b') })
      fs.rmSync(path.join(fleet.folder, 'a.conf'))
      some.kill('SIGHUP')
      const report = await fleet.counts({ running: 2, failed: 1, 'not-autostarted': 1 })
      assert.deepEqual(
        report.instances.map(({ name, state }) => `${name} ${state}`),
        ['b running', 'c not-autostarted', 'd running', 'e failed'],
      )
      // Put right, it starts by itself.
      fleet.write('e')
      await fleet.counts({ running: 3, 'not-autostarted': 1 })
      await fleet.client.down(['d'])
      assert.equal((await fleet.instance('d'))?.state, 'stopped')
      some.kill('SIGINT')
      assert.equal(await exitOf(some), 0)
      assert.deepEqual(processesOf(fleet.folder), [])
    }),
)

test('shoal up: SIGHUP tries at once what would be tried later', needsProc, () =>
  withFleet(async (fleet) => {
    const dir = path.join(fleet.root, 'shares', 'a')
    fleet.write('a', { shared_folders: [{ secret: { file: 'a.secret' }, dir, search_lan: false }] })
    const supervisor = fleet.up()
    await fleet.counts({ failed: 1 })
    // What was missing lies in another file; by itself it would be tried in five minutes.
    const secret = formatSecret(writeSecretOf(crypto.getRandomValues(Buffer.alloc(32))))
    fs.writeFileSync(path.join(fleet.folder, 'a.secret'), `${secret}\n`, { mode: 0o600 })
    supervisor.kill('SIGHUP')
    await fleet.counts({ running: 1 })
    await fleet.client.down([])
    assert.equal(await exitOf(supervisor), 0)
  }),
)
