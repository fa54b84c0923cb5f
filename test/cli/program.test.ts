import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, it } from 'node:test'
import { type Running, untilSignalled } from '../../src/cli/lifetime.js'
import { formatBytes, formatTable, printable } from '../../src/cli/text.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { type Log, silentLog } from '../../src/ports/log.js'
import { PACKAGE_VERSION } from '../../src/ports/package-version.js'
import { commandArgs } from '../support/command.js'
import { shoal, type Transcript } from './transcript.js'

/** Runs the built command as a process of its own. */
async function spawned(argv: string[], stdin = ''): Promise<Transcript> {
  const child = spawn(process.execPath, commandArgs(argv), { stdio: 'pipe', env: {} })
  child.stdin.end(stdin)
  const exited = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)))
  const [out, err, exit] = await Promise.all([text(child.stdout), text(child.stderr), exited])
  return { exit, out, err }
}

describe('the command line', () => {
  it('lets no text of a failure draw on the terminal', async () => {
    const { err } = await shoal(['status', '/nowhere/\u001b[2Ja.conf'])
    assert.match(err, /\/nowhere\/\\u\{1b\}\[2Ja\.conf: no such file\n/)
    assert.ok(!err.includes('\u001b'))
  })

  it('--version', async () => {
    assert.deepEqual(await shoal(['--version']), { exit: 0, out: `${PACKAGE_VERSION}\n`, err: '' })
  })

  it('help of a part of a command is that of the part', async () => {
    for (const [command, part] of [
      ['backup', 'add'],
      ['drift', 'acknowledge'],
      ['secret', 'relay-pass'],
    ]) {
      const { exit, out, err } = await shoal(['help', command!, part!])
      assert.deepEqual([exit, err], [0, ''])
      assert.ok(out.startsWith(`Usage: shoal ${command} ${part} `), out)
    }
    // What is no part of it is passed over.
    assert.match((await shoal(['help', 'backup', 'sell'])).out, /^Usage: shoal backup /)
  })

  it('--help names every command and shows examples', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const { exit, out, err } = await shoal(argv)
      assert.deepEqual([exit, err], [0, ''])
      for (const name of [
        'share',
        'join',
        'preview',
        'run',
        'secret',
        'status',
        'scan',
        'peers',
        'conflicts',
        'history',
        'pause',
        'resume',
        'limits',
        'drift',
        'approve',
        'invite',
        'dht',
      ])
        assert.match(out, new RegExp(`^  ${name}\\b`, 'm'))
      assert.match(out, /Examples:\n {2}\$ /)
      for (const line of out.split('\n')) assert.ok(line.length <= 100, line)
    }
  })

  const wrong: [string[], string][] = [
    [[], 'no command is given'],
    [['sync'], 'there is no command "sync"'],
    [['secret'], 'say which: new, show or relay-pass'],
    [['secret', 'old'], 'there is no command "secret old"'],
    [['config'], 'say which: sample or import'],
    [['backup'], 'say which: add'],
    [['backup', 'remove'], 'there is no command "backup remove"'],
    [['status'], "missing required argument 'config'"],
    [['status', 'c', 'd'], "too many arguments for 'status'. Expected 1 argument but got 2."],
    [['run', 'c', '--log-level', 'loud'], "option '--log-level <level>' argument 'loud' is invalid."],
    [['dht'], "required option '--listen <host:port>' not specified"],
    [
      ['dht', '--listen', '1.2.3.4'],
      "option '--listen <host:port>' argument '1.2.3.4' is invalid. expected HOST:PORT",
    ],
    [
      ['dht', '--listen', 'a:1', '--bootstrap', 'b:1', 'c:0'],
      "option '--bootstrap <host:port...>' argument 'c:0'",
    ],
  ]
  for (const [argv, message] of wrong)
    it(`shoal ${argv.join(' ')}: exit 64`, async () => {
      const { exit, out, err } = await shoal(argv)
      assert.deepEqual([exit, out], [64, ''])
      assert.ok(err.startsWith(message), err)
      assert.match(err, /\nhint: run shoal --help to see the commands\n$/)
    })

  it('a stack only with SHOAL_DEBUG, and secrets in neither', async () => {
    const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
    const plain = await shoal([secret])
    assert.equal(
      plain.err,
      'there is no command "shoalw1[secret]"\nhint: run shoal --help to see the commands\n',
    )
    const debug = await shoal([secret], { env: { SHOAL_DEBUG: '1' } })
    assert.match(debug.err, /\n {4}at /)
    assert.ok(!debug.err.includes(secret.slice(8, 16)))
  })
})

describe('as a process', () => {
  it('reads standard input and writes standard output', async () => {
    const { exit, out, err } = await spawned(
      ['secret', 'show', '--grade', 'write'],
      'AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN',
    )
    assert.deepEqual([exit, err], [0, ''])
    assert.match(out, /^shoalw1/)
  })

  it('run with a wrong configuration: exit 78 and every place, on standard error', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'shoal-run-'))
    try {
      const file = join(folder, 'c.conf')
      writeFileSync(file, '{\n  "listening_port": -1,\n  "storage_path": 3\n}\n')
      assert.deepEqual(await spawned(['run', file]), {
        exit: 78,
        out: '',
        err: `${file}:2:21: listening_port: is -1, expected a port from 1 to 65535, or 0 for any free one
${file}:3:19: storage_path: is 3, expected a path
`,
      })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})

describe('shoal dht', () => {
  it('prints the address it is reached at, and ends on SIGTERM with exit 0', async () => {
    const child = spawn(
      process.execPath,
      commandArgs(['dht', '--listen', '127.0.0.1:0', '--log-level', 'silent']),
      {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: {},
      },
    )
    const exited = new Promise<number | null>((resolve) => child.on('close', resolve))
    const line = await new Promise<string>((resolve) =>
      child.stdout.once('data', (data) => resolve(String(data))),
    )
    assert.match(line, /^127\.0\.0\.1:[1-9]\d*\n$/)
    child.kill('SIGTERM')
    assert.equal(await exited, 0)
  })
})

describe('untilSignalled', () => {
  class Host extends EventEmitter {
    readonly exits: number[] = []
    exit(code: number): void {
      this.exits.push(code)
      this.emit('exited')
    }
  }

  function running(
    stop: () => Promise<void> = async () => {},
  ): Running & { end: (error?: Error) => void; stops: number } {
    let end: (error?: Error) => void = () => {}
    const stopped = new Promise<void>((resolve, reject) => {
      end = (error) => (error === undefined ? resolve() : reject(error))
    })
    const self = {
      stopped,
      stops: 0,
      end,
      stop: async () => {
        self.stops++
        await stop()
        end()
      },
    }
    return self
  }

  for (const signal of ['SIGTERM', 'SIGINT'])
    it(`stops on ${signal} and leaves no handler`, async () => {
      const host = new Host()
      const daemon = running()
      const done = untilSignalled(async () => daemon, silentLog, host)
      host.emit(signal, signal)
      host.emit('SIGTERM', 'SIGTERM')
      await done
      assert.deepEqual([daemon.stops, host.exits], [1, []])
      assert.equal(host.listenerCount('SIGTERM') + host.listenerCount('SIGINT'), 0)
    })

  it('stops what had not started yet when the signal came', async () => {
    const host = new Host()
    const daemon = running()
    let started: (value: Running) => void = () => {}
    const start = new Promise<Running>((resolve) => {
      started = resolve
    })
    const done = untilSignalled(() => start, silentLog, host)
    host.emit('SIGTERM', 'SIGTERM')
    started(daemon)
    await done
    assert.equal(daemon.stops, 1)
  })

  it('leaves by force, exit 0 and a line in the log, when stopping takes too long', async () => {
    const host = new Host()
    const daemon = running(() => new Promise(() => {}))
    const warnings: string[] = []
    const log: Log = { ...silentLog, warn: (_fields, message) => void warnings.push(message) }
    const exited = new Promise((resolve) => host.once('exited', resolve))
    void untilSignalled(async () => daemon, log, host, 5)
    host.emit('SIGTERM', 'SIGTERM')
    await exited
    assert.deepEqual([host.exits, warnings], [[0], ['did not stop in time, leaving now']])
    host.emit('SIGINT', 'SIGINT')
    assert.deepEqual(host.exits, [0, 130])
  })

  it('SIGHUP has it read its configuration, also one that came while it started', async () => {
    const host = new Host()
    let reloads = 0
    const daemon = Object.assign(running(), {
      reload: async () => {
        reloads++
      },
    })
    let started: (value: Running) => void = () => {}
    const start = new Promise<Running>((resolve) => {
      started = resolve
    })
    const done = untilSignalled(() => start, silentLog, host)
    host.emit('SIGHUP', 'SIGHUP')
    assert.equal(reloads, 0)
    started(daemon)
    await start
    await Promise.resolve()
    assert.equal(reloads, 1)
    host.emit('SIGHUP', 'SIGHUP')
    assert.equal(reloads, 2)
    host.emit('SIGTERM', 'SIGTERM')
    await done
    assert.deepEqual([daemon.stops, host.listenerCount('SIGHUP')], [1, 0])
  })

  it('SIGHUP ends what cannot read a configuration, and what a closing terminal leaves behind', async () => {
    const plain = new Host()
    const dht = running()
    const ended = untilSignalled(async () => dht, silentLog, plain)
    await Promise.resolve()
    plain.emit('SIGHUP', 'SIGHUP')
    await ended
    assert.equal(dht.stops, 1)
    const terminal = Object.assign(new Host(), { stderr: { isTTY: true } })
    const daemon = Object.assign(running(), { reload: assert.fail })
    const closed = untilSignalled(async () => daemon, silentLog, terminal)
    terminal.emit('SIGHUP', 'SIGHUP')
    await closed
    assert.equal(daemon.stops, 1)
  })

  it('ends when it stops by itself, and fails as it fails', async () => {
    const host = new Host()
    const fine = running()
    fine.end()
    await untilSignalled(async () => fine, silentLog, host)
    assert.equal(fine.stops, 0)
    const bad = running()
    bad.end(new Error('disk gone'))
    await assert.rejects(
      untilSignalled(async () => bad, silentLog, host),
      /disk gone/,
    )
    await assert.rejects(
      untilSignalled(() => Promise.reject(new Error('no port')), silentLog, host),
      /no port/,
    )
  })
})

describe('text', () => {
  it('sizes', () => {
    const sizes = [0, 1, 1023, 1024, 1536, 102_400, 1_288_490_189, 2 ** 60]
    assert.deepEqual(sizes.map(formatBytes), [
      ...['0 B', '1 B', '1023 B', '1.0 KiB', '1.5 KiB', '100 KiB', '1.2 GiB', '1024 PiB'],
    ])
  })

  it('columns, without trailing space', () => {
    assert.equal(
      formatTable(
        [
          ['a', 'bb', ''],
          ['ccc', 'd', ''],
        ],
        ' ',
      ),
      ' a    bb\n ccc  d\n',
    )
    assert.equal(formatTable([]), '')
  })

  it('no control characters', () => {
    assert.equal(printable('a\n\u001b\u202eb\ud800ü'), 'a\\u{a}\\u{1b}\\u{202e}b\ufffdü')
  })
})
