// Keys of the configuration in daemons that run: what a reload changes, the pid file, the kept port, the archive's age and
// size, the log file, systemd.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { converged, eventually, withWorld } from '../support/daemons.js'

test('SIGHUP: known hosts take effect at once, what needs a restart is named, a broken file changes nothing', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a', { knows: [] })
    const b = await world.node('b', { knows: [] })
    await Promise.all([a.start(), b.start()])
    a.write('x', 'x')
    assert.deepEqual(a.world.nodes.length, 2)
    const hangUp = async (pattern: RegExp): Promise<string> => {
      const from = a.log.length
      process.kill(a.pid, 'SIGHUP')
      return a.logged(pattern, from)
    }
    fs.writeFileSync(a.configFile, '{ "storage_path": ')
    const refused = JSON.parse(await hangUp(/the settings stay/)) as { problems: string[] }
    assert.match(refused.problems[0]!, /shoal\.conf:\d+:\d+: /)
    const running = async (): Promise<string> => (await world.run(['status', a.configFile])).out
    assert.deepEqual((await a.status()).refusedConfiguration?.problems, refused.problems)
    // The file says where the storage is, and no more that is of use.
    const text = `{ "storage_path": ${JSON.stringify(a.storage)}, "listening_port": [`
    fs.writeFileSync(a.configFile, text)
    await hangUp(/the settings stay/)
    await hangUp(/the settings stay/)
    assert.match(
      await running(),
      /^configuration: NOT USED since .*, the settings before it stay; .*\n {2}.*shoal\.conf:\d+:\d+: /m,
    )
    a.writeConfig({
      config: { device_name: 'other', folder_rescan_interval: 55 },
      share: { known_hosts: [`127.0.0.1:${b.port}`] },
    })
    const read = JSON.parse(await hangUp(/configuration read/)) as { changed: number; needRestart: number }
    assert.deepEqual([read.changed, read.needRestart], [2, 1])
    assert.equal((await a.status()).refusedConfiguration, undefined)
    assert.match(await running(), /^configuration: changed, and in effect after a restart: device_name$/m)
    assert.deepEqual((await a.status()).awaitingRestart, ['device_name'])
    const { out: events } = await world.run(['events', a.configFile, '--json'])
    const told = events.split('\n').filter((line) => line.includes('"config-'))
    assert.deepEqual(
      told.map((line) => (JSON.parse(line) as { type: string }).type),
      ['config-refused', 'config-refused', 'config-used'],
    )
    assert.match(await a.logged(/needs a restart/), /device_name: \\"a\\" -> \\"other\\"/)
    await converged([a, b])
    assert.equal(b.read('x'), 'x')
    assert.equal((await a.status()).name, 'a')
    a.writeConfig({ config: { folder_rescan_interval: 55 }, share: { known_hosts: [`127.0.0.1:${b.port}`] } })
    await hangUp(/configuration read/)
    assert.doesNotMatch(await running(), /^configuration:/m)
  })
})

test('a configuration file that changes is read without being told to, also when it is renamed into place', async () => {
  await withWorld({}, async (world) => {
    const [a] = await world.start(['a'])
    const text = fs.readFileSync(a!.configFile, 'utf8')
    const changed = { ...(JSON.parse(text) as object), sync_trash_ttl: 5 }
    fs.writeFileSync(`${a!.configFile}.new`, JSON.stringify(changed), { mode: 0o600 })
    fs.renameSync(`${a!.configFile}.new`, a!.configFile)
    assert.match(await a!.logged(/setting changed/), /sync_trash_ttl: 30 -> 5/)
  })
})

test('the pid file is there while the daemon runs, and one that a crash left is replaced', async () => {
  await withWorld({}, async (world) => {
    const file = path.join(world.root, 'shoal.pid')
    const a = await world.node('a', { config: { pid_file: file } })
    await a.start()
    assert.equal(fs.readFileSync(file, 'utf8'), `${a.pid}\n`)
    assert.equal(fs.statSync(file).mode & 0o777, 0o644)
    const b = await world.node('b', { config: { pid_file: file } })
    await assert.rejects(b.start(), /is that of another daemon that runs/)
    assert.equal(fs.readFileSync(file, 'utf8'), `${a.pid}\n`)
    await a.kill()
    assert.ok(fs.existsSync(file))
    await a.start()
    assert.equal(fs.readFileSync(file, 'utf8'), `${a.pid}\n`)
    assert.equal(await a.stop(), 0)
    assert.equal(fs.existsSync(file), false)
  })
})

test('listening_port 0: the port is kept, another is picked and kept when it is taken', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a', { config: { listening_port: 0 } })
    const portOf = (line: string): number => (JSON.parse(line) as { port: number }).port
    const start = async (): Promise<number> => {
      const from = a.log.length
      await a.start()
      return portOf(await a.logged(/"msg":"ready"/, from))
    }
    const first = await start()
    await a.stop()
    assert.equal(await start(), first)
    await a.kill()
    assert.equal(await start(), first)
    await a.stop()
    const squatter = net.createServer().listen(first, '127.0.0.1')
    await once(squatter, 'listening')
    try {
      const second = await start()
      assert.notEqual(second, first)
      assert.match(await a.logged(/the port of the last run is in use/), new RegExp(`"before":${first}`))
      await a.stop()
      assert.equal(await start(), second)
    } finally {
      squatter.close()
    }
  })
})

test('what is larger than max_file_size_for_versioning is replaced and deleted without a trace; the rest is kept', async () => {
  await withWorld({}, async (world) => {
    const [a, b] = await world.start(['a', 'b'], { config: { max_file_size_for_versioning: 1 } })
    const large = Buffer.alloc((1 << 20) + 1, 7)
    for (const name of ['large', 'gone']) a!.write(name, large)
    a!.write('small', 'old')
    await converged([a!, b!])
    a!.write('large', 'new')
    a!.write('small', 'new')
    a!.remove('gone')
    await converged([a!, b!])
    const archive = path.join(b!.dir, '.shoal', 'archive')
    const kept = fs
      .readdirSync(archive, { recursive: true, encoding: 'utf8' })
      .map((name) => path.basename(name))
    assert.ok(kept.includes('small'), kept.join())
    assert.ok(!kept.includes('large') && !kept.includes('gone'), kept.join())
    assert.equal(b!.read('large'), 'new')
    assert.equal(b!.exists('gone'), false)
  })
})

test('both sides of a double edit stay, however large they are', async () => {
  await withWorld({}, async (world) => {
    const [a, b] = await world.start(['a', 'b'], { config: { max_file_size_for_versioning: 1 } })
    const large = (fill: number): Buffer => Buffer.alloc((1 << 20) + 5, fill)
    a!.write('x', large(1))
    await converged([a!, b!])
    await b!.stop()
    a!.write('x', large(2))
    await a!.client.scan()
    b!.write('x', large(3))
    await b!.start()
    await converged([a!, b!])
    for (const node of [a!, b!]) {
      const firsts = fs
        .readdirSync(node.dir)
        .filter((name) => name.startsWith('x'))
        .map((name) => fs.readFileSync(node.at(name))[0])
      assert.deepEqual(firsts.sort(), [2, 3])
    }
  })
})

test('the log goes to a file that is set aside, and begins anew at SIGHUP', async () => {
  await withWorld({}, async (world) => {
    const a = await world.node('a')
    a.writeConfig()
    const file = path.join(world.root, 'sync.log')
    const child = world.spawn(['run', a.configFile, '--log-level', 'debug', '--log-file', file])
    const has = (pattern: RegExp): boolean =>
      fs.existsSync(file) && pattern.test(fs.readFileSync(file, 'utf8'))
    await eventually('ready in the log file', () => has(/"msg":"ready"/))
    assert.equal(fs.statSync(file).mode & 0o777, 0o600)
    fs.renameSync(file, `${file}.1`)
    child.kill('SIGHUP')
    await eventually('a new log file', () => has(/configuration read/))
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    assert.deepEqual(await ended, [0, null])
  })
})

const LISTENER = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(s.recv(4096).decode().replace(chr(10), ' | '), flush=True)
`
const missing = ['systemd-notify', 'python3'].find((name) => spawnSync(name, ['--version']).status !== 0)

test('systemd hears of ready, life, reload and the end', {
  skip: missing === undefined ? false : `${missing} is not installed here`,
}, async () => {
  await withWorld({}, async (world) => {
    const socket = path.join(world.root, 'notify')
    const listener = spawn('python3', ['-c', LISTENER, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      const lines = createInterface({ input: listener.stdout })[Symbol.asyncIterator]()
      const hear = async (wanted: string): Promise<string> => {
        for (;;) {
          const { value, done } = await lines.next()
          if (done === true) assert.fail(`the listener ended before it heard ${wanted}`)
          if ((value as string).includes(wanted)) return value as string
        }
      }
      await hear('listening')
      const a = await world.node('a', {
        environment: { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '400000' },
      })
      await a.start()
      assert.match(await hear('READY=1'), /STATUS=1 shares, 0 peers/)
      await hear('WATCHDOG=1')
      process.kill(a.pid, 'SIGHUP')
      assert.match(await hear('RELOADING=1'), /MONOTONIC_USEC=\d+/)
      await hear('READY=1')
      const ended = a.stop()
      await hear('STOPPING=1')
      assert.equal(await ended, 0)
    } finally {
      listener.kill('SIGKILL')
      if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit')
    }
  })
})
