import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { Notifier, notifyEnvironment } from '../../src/daemon/sd-notify.js'
import { silentLog } from '../../src/ports/log.js'

test('only a socket that is one, and a watchdog that is meant for this process', () => {
  const socket = '/run/systemd/notify'
  assert.equal(notifyEnvironment({}), undefined)
  assert.equal(notifyEnvironment({ NOTIFY_SOCKET: '' }), undefined)
  assert.equal(notifyEnvironment({ NOTIFY_SOCKET: 'relative' }), undefined)
  assert.deepEqual(notifyEnvironment({ NOTIFY_SOCKET: '@abstract' }), {
    socket: '@abstract',
    watchdogUsec: 0,
  })
  const both = { NOTIFY_SOCKET: socket, WATCHDOG_USEC: '60000000' }
  assert.deepEqual(notifyEnvironment(both), { socket, watchdogUsec: 60_000_000 })
  assert.deepEqual(notifyEnvironment({ ...both, WATCHDOG_PID: '5' }, 5), { socket, watchdogUsec: 60_000_000 })
  assert.deepEqual(notifyEnvironment({ ...both, WATCHDOG_PID: '6' }, 5), { socket, watchdogUsec: 0 })
  assert.deepEqual(notifyEnvironment({ ...both, WATCHDOG_USEC: 'soon' }), { socket, watchdogUsec: 0 })
})

interface Told {
  readonly notifier: Notifier
  readonly sent: string[]
  next(): Promise<void>
  warnings: number
}

function told(isHealthy: () => Promise<boolean>, watchdogUsec = 10_000, fails = false): Told {
  const sent: string[] = []
  let wake: () => void = () => undefined
  const notifier = new Notifier({
    environment: { socket: '/nowhere', watchdogUsec },
    log: {
      ...silentLog,
      warn: () => {
        result.warnings++
      },
    },
    isHealthy,
    status: async () => '2 shares\nMAINPID=1',
    send: async (assignments) => {
      sent.push(assignments.join(' | ').replace(/USEC=\d+/, 'USEC=n'))
      wake()
      if (fails) throw new Error('no such program')
    },
  })
  const result: Told = {
    notifier,
    sent,
    next: () =>
      new Promise((resolve) => {
        wake = resolve
      }),
    warnings: 0,
  }
  return result
}

test('ready, signs of life, reloading and stopping, in order and each on one line', async () => {
  const { notifier, sent, next } = told(async () => true)
  const sign = next()
  await notifier.ready()
  await sign
  await next()
  await notifier.reloading()
  await notifier.ready()
  await notifier.stopping()
  assert.equal(sent[0], 'READY=1 | STATUS=2 shares MAINPID=1')
  assert.equal(sent[1], 'WATCHDOG=1 | STATUS=2 shares MAINPID=1')
  const rest = sent.filter((line) => !line.startsWith('WATCHDOG=1'))
  assert.deepEqual(rest.slice(1), [
    'RELOADING=1 | MONOTONIC_USEC=n',
    'READY=1 | STATUS=2 shares MAINPID=1',
    'STOPPING=1',
  ])
  const count = sent.length
  await new Promise((resolve) => setTimeout(resolve, 30))
  assert.equal(sent.length, count, 'no sign of life after stopping')
})

test('no sign of life from a daemon that is not well, that fails to say so, or that does not answer', async () => {
  for (const isHealthy of [
    async () => false,
    () => Promise.reject(new Error('index broken')),
    () => new Promise<boolean>(() => undefined),
  ]) {
    let asked: () => void = () => undefined
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve
    })
    const { notifier, sent } = told(() => {
      asked()
      return isHealthy()
    })
    await notifier.ready()
    await wasAsked
    await new Promise((resolve) => setTimeout(resolve, 30))
    await notifier.stopping()
    assert.deepEqual(
      sent.map((line) => line.split('=')[0]),
      ['READY', 'STOPPING'],
    )
  }
})

test('no watchdog asked for: none is fed; what cannot be sent is told once', async () => {
  const result = told(async () => true, 0, true)
  await result.notifier.ready()
  await result.notifier.ready()
  assert.deepEqual([result.sent.length, result.warnings], [2, 1])
})

const LISTENER = `
import socket, sys, os
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True:
    print(s.recv(4096).decode().replace(chr(10), ' | '), flush=True)
`

const missing = ['systemd-notify', 'python3'].find((name) => spawnSync(name, ['--version']).status !== 0)

test('through systemd-notify to a real socket', {
  skip: missing === undefined ? false : `${missing} is not installed here`,
}, async () => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'shoal-notify-'))
  const socket = join(folder, 'notify')
  const listener: ChildProcess = spawn('python3', ['-c', LISTENER, socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    const lines = createInterface({ input: listener.stdout! })[Symbol.asyncIterator]()
    assert.equal((await lines.next()).value, 'listening')
    const notifier = new Notifier({
      environment: { socket, watchdogUsec: 0 },
      log: silentLog,
      isHealthy: async () => true,
      status: async () => '1 shares, 0 peers',
    })
    await notifier.ready()
    const heard: string[] = []
    // The barrier that systemd-notify sends after each message is an own datagram.
    while (!heard.some((line) => line.includes('READY=1'))) heard.push((await lines.next()).value as string)
    await notifier.stopping()
    while (!heard.some((line) => line.includes('STOPPING=1')))
      heard.push((await lines.next()).value as string)
    assert.ok(heard.includes('READY=1 | STATUS=1 shares, 0 peers'), heard.join())
  } finally {
    listener.kill('SIGKILL')
    if (listener.exitCode === null && listener.signalCode === null) await once(listener, 'exit')
    fs.rmSync(folder, { recursive: true, force: true })
  }
})
