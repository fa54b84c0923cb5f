// How progress is measured, written and shown. The clock is turned by hand.
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import type { Command } from 'commander'
import { makeProgram, runCli } from '../../src/cli/program.js'
import { formatLine, formatPlain, type Measure } from '../../src/cli/progress/measure.js'
import { driftMeter, hooksMeter, releaseMeter, scanMeter, syncMeter } from '../../src/cli/progress/meters.js'
import { Rate } from '../../src/cli/progress/rate.js'
import { ProgressScreen } from '../../src/cli/progress/screen.js'
import { type ControlServer, serveControl } from '../../src/control/server.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { silentLog } from '../../src/ports/log.js'
import { FakeBackend, member, share, status } from '../control/fake-backend.js'
import { shoal } from './transcript.js'

const MIB = 2 ** 20

function rateOf(perSecond: number): Rate {
  const rate = new Rate()
  rate.note(0, 0)
  rate.note(2000, perSecond * 2)
  return rate
}

describe('a rate', () => {
  it('is that of the last seconds', () => {
    const rate = new Rate()
    assert.equal(rate.perSecond, undefined)
    for (let second = 0; second <= 30; second++)
      rate.note(second * 1000, second < 20 ? 0 : second * 100 - 2000)
    assert.equal(rate.perSecond, 100)
    assert.equal(rate.experienceMs, 10_000)
  })

  it('begins anew when what is counted shrinks', () => {
    const rate = rateOf(10)
    rate.note(3000, 5)
    assert.equal(rate.perSecond, undefined)
    rate.note(4000, 6)
    assert.equal(rate.perSecond, 1)
  })
})

describe('a line of progress', () => {
  const half: Measure = { done: 30 * MIB, total: 60 * MIB, unit: 'bytes', detail: 'a\u001b[2J' }
  const shown = { label: 'scan', measure: half, rate: rateOf(10 * MIB), elapsedMs: 5000 }

  it('has a bar, percent, amount, rate, time left, and what is done now', () => {
    const line = formatLine(shown, 100)
    assert.match(
      line,
      /^scan {2}\[#+\.+\] {3}50% {2}30\.0 MiB of 60\.0 MiB {2}10\.0 MiB\/s {2}3s left {2}a\\u\{1b\}\[2J$/,
    )
    const [, full, empty] = /\[(#+)(\.+)\]/.exec(line)!
    assert.ok(Math.abs(full!.length - empty!.length) <= 1)
    assert.equal(formatPlain(shown), 'scan: 50%, 30.0 MiB of 60.0 MiB, 10.0 MiB/s, 3s left, a\\u{1b}[2J')
  })

  it('fits any terminal', () => {
    for (let columns = 1; columns <= 200; columns++) {
      const line = formatLine(shown, columns)
      assert.ok(line.length < columns || columns <= 1, `${columns}: ${line}`)
      if (columns >= 40) assert.match(line, /^scan {2}\[.*50%/)
    }
  })

  it('without a total: what was done, and for how long', () => {
    const measure = { done: 2, unit: 'file' }
    const line = formatLine({ ...shown, measure, rate: rateOf(0.5) }, 80)
    assert.match(line, /^scan {2}[|/\\-] {2}2 files {2}0\.5\/s {2}for 5s$/)
  })

  it('never says that all is done before it is', () => {
    const measure = { done: 9999, total: 10_000, unit: 'file' }
    assert.match(formatPlain({ ...shown, measure }), /: 99%/)
    assert.match(formatPlain({ ...shown, measure: { ...measure, done: 10_000 } }), /: 100%/)
  })

  it('says when it gives up, where there is no time left to tell', () => {
    const measure = { done: 1, total: 3, unit: 'member', givesUpInMs: 41_200, detail: 'waiting for nas' }
    assert.equal(
      formatPlain({ label: 'status', measure, rate: new Rate(), elapsedMs: 0 }),
      'status: 33%, 1 of 3 members, gives up in 42s, waiting for nas',
    )
  })
})

/** A screen with a clock to be turned. */
class Stage {
  nowMs = 0
  written = ''
  readonly screen: ProgressScreen
  #ticks: (() => void) | undefined
  #everyMs = 0

  constructor(columns: number | undefined) {
    this.screen = new ProgressScreen({
      write: (text) => {
        this.written += text
      },
      columns: () => columns,
      clock: {
        now: () => this.nowMs,
        every: (ms, call) => {
          this.#everyMs = ms
          this.#ticks = call
          return () => {
            this.#ticks = undefined
          }
        },
      },
    })
  }

  get isTicking(): boolean {
    return this.#ticks !== undefined
  }

  /** Lets time pass. */
  pass(ms: number): void {
    for (const endMs = this.nowMs + ms; this.nowMs < endMs; this.#ticks?.()) this.nowMs += this.#everyMs
  }
}

describe('the screen', () => {
  it('shows nothing of what takes a moment, and has no timer left', async () => {
    for (const columns of [80, undefined]) {
      const stage = new Stage(columns)
      assert.equal(await stage.screen.show('scan', async () => stage.pass(500) ?? 7), 7)
      assert.deepEqual([stage.written, stage.isTicking], ['', false])
    }
  })

  it('on a terminal: one line, drawn again only when it differs, and gone at the end', async () => {
    const stage = new Stage(80)
    await stage.screen.show('scan', async ({ update }) => {
      update({ done: 1, total: 4, unit: 'file' })
      stage.pass(2000)
    })
    assert.ok(!stage.written.includes('\n'))
    const drawn = stage.written.split('\r\u001b[K')
    assert.equal(drawn.at(-1), '', 'the line is gone')
    assert.match(drawn[1]!, /^scan {2}\[#+\.+\] {3}25%/)
    assert.ok(drawn.length <= 5, `drawn ${drawn.length} times in two seconds in which nothing moved`)
  })

  it('makes room for what is printed, and comes back', async () => {
    const stage = new Stage(80)
    await stage.screen.show('scan', async () => {
      stage.pass(1000)
      stage.screen.clear()
      stage.written += 'out\n'
      stage.pass(200)
      assert.ok(stage.written.includes('\r\u001b[Kout\n\r\u001b[Kscan'), stage.written)
    })
  })

  it('without a terminal: plain lines every few seconds', async () => {
    const stage = new Stage(undefined)
    await stage.screen.show('scan', async ({ update }) => {
      for (let second = 0; second < 14; second++) {
        update({ done: second, total: 20, unit: 'file' })
        stage.pass(1000)
      }
    })
    assert.deepEqual(stage.written.split('\n'), [
      'scan: 10%, 2 of 20 files, 1.0/s, 18s left',
      'scan: 35%, 7 of 20 files, 1.0/s, 13s left',
      'scan: 60%, 12 of 20 files, 1.0/s, 8s left',
      '',
    ])
  })

  it('shows nothing where it is told to: --quiet, and --json without a terminal', async () => {
    for (const [mode, columns, isShown] of [
      ['off', 80, false],
      ['off', undefined, false],
      ['terminal', undefined, false],
      ['terminal', 80, true],
    ] as const) {
      const stage = new Stage(columns)
      stage.screen.mode = mode
      assert.equal(stage.screen.isShown, isShown)
      await stage.screen.show('scan', async () => stage.pass(20_000))
      assert.equal(stage.written !== '', isShown, `${mode} ${columns}`)
    }
  })

  it('of two things under way the inner one is shown', async () => {
    const stage = new Stage(undefined)
    const outer = stage.screen.begin('status')
    await stage.screen.show('scan', async () => stage.pass(4000))
    assert.match(stage.written, /^scan: /)
    stage.pass(6000)
    outer.end()
    assert.match(stage.written, /\nstatus: /)
  })
})

describe('meters', () => {
  const scan = { files: 40, toReadBytes: 0, readBytes: 0 }
  it('scan: bytes to read, else files of those that are known', () => {
    const meter = scanMeter()
    assert.equal(meter(status(share())), undefined)
    assert.deepEqual(meter(status(share({ scan, files: 100 }))), { done: 40, total: 100, unit: 'file' })
    assert.deepEqual(meter(status(share({ scan, files: 0 }))), { done: 40, unit: 'file' })
    assert.deepEqual(meter(status(share({ scan: { files: 40, toReadBytes: 9, readBytes: 3 } }))), {
      ...{ done: 3, total: 9, unit: 'bytes' },
      detail: '40 files listed',
    })
  })

  it('status --wait: what is missing here, then who is behind', () => {
    const meter = syncMeter(() => 1000)
    const behind = [member('nas', { digestEqual: false }), member('tv', { connected: false }), member('pc')]
    const at = (needBytes: number, needFiles: number) => {
      const { givesUpInMs, ...rest } = meter(status(share({ needBytes, needFiles, members: behind })))!
      assert.equal(givesUpInMs, 1000)
      return rest
    }
    const detail = 'waiting for nas, tv (unreachable)'
    assert.deepEqual(at(100, 4), { done: 0, total: 100, unit: 'bytes', detail })
    assert.deepEqual(at(25, 2), { done: 75, total: 100, unit: 'bytes', detail })
    assert.deepEqual(at(0, 1), { done: 3, total: 4, unit: 'path', detail })
    assert.deepEqual(at(0, 0), { done: 1, total: 3, unit: 'member', detail })
  })

  it('drift, hooks and releases', () => {
    const drift = driftMeter()
    assert.equal(drift(status(share())), undefined)
    drift(status(share({ drift: 8 })))
    assert.deepEqual(drift(status(share({ drift: 2 }))), { done: 6, total: 8, unit: 'path' })
    assert.deepEqual(hooksMeter()(status(share())), { done: 0, unit: 'pending path', detail: '' })
    const release = releaseMeter(0)
    assert.equal(release(status()), undefined)
    assert.equal(release(status(share({ needFiles: 3 })))?.detail, 'still to be brought here')
    assert.equal(release(status(share({ files: 10 })))?.done, 0)
    assert.equal(release(status(share({ files: 13 })))?.done, 3)
  })
})

describe('a command that waits for a daemon', () => {
  let folder: string
  let backend: FakeBackend
  let server: ControlServer
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'shoal-progress-'))
    mkdirSync(join(folder, 'store'))
    const secret = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
    const config = { storage_path: 'store', shared_folders: [{ secret, dir: 'a' }] }
    writeFileSync(join(folder, 'c.conf'), JSON.stringify(config))
    backend = new FakeBackend()
    backend.statuses = [status(share({ scan: { files: 40, toReadBytes: 100, readBytes: 42 } }))]
    server = await serveControl({ storagePath: join(folder, 'store'), backend, log: silentLog })
  })
  after(async () => {
    await server.close()
    rmSync(folder, { recursive: true })
  })

  it('asks it how far it is, draws that on a terminal, and leaves nothing of it', async () => {
    let [err, out] = ['', '']
    let shown: () => void = () => {}
    backend.work = () => new Promise((resolve) => (shown = resolve))
    const exit = await runCli(['scan', join(folder, 'c.conf')], {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
        // The daemon is done as soon as it was seen.
        if (text.includes('42%')) shown()
      },
      stdin: Readable.from([]),
      env: {},
      columns: () => 80,
    })
    assert.deepEqual([exit, out], [0, ''])
    assert.match(err, /scan {2}\[#+\.+\] {3}42% {2}42 B of 100 B/)
    assert.ok(err.endsWith('\r\u001b[K'))
  })

  it('asks how far an audit is', async () => {
    let [err, out] = ['', '']
    let shown: () => void = () => {}
    backend.work = () => new Promise((resolve) => (shown = resolve))
    const audit = { dir: join(folder, 'a'), device: 'cd'.repeat(32), name: 'nas', sample: 5000 }
    backend.auditProgress = [
      { ...audit, dir: '/another', checked: 5 },
      { ...audit, checked: 1250 },
    ]
    const exit = await runCli(['audit', join(folder, 'c.conf'), '--node', 'nas'], {
      out: (text) => {
        out += text
      },
      err: (text) => {
        err += text
        if (text.includes('25%')) shown()
      },
      stdin: Readable.from([]),
      env: {},
      columns: () => 100,
    })
    backend.work = async () => {}
    assert.equal(exit, 0)
    assert.match(err, /audit {2}\[#+\.+\] {3}25% {2}1250 of 5000 pieces .*checked at nas/)
    assert.match(out, /^nas \(read/)
  })

  it('--quiet, before or after the command: asks and shows nothing', async () => {
    backend.work = async () => {}
    for (const argv of [
      ['--quiet', 'scan', join(folder, 'c.conf')],
      ['scan', '-q', join(folder, 'c.conf')],
    ]) {
      backend.calls.length = 0
      assert.deepEqual(await shoal(argv), { exit: 0, out: '', err: '' })
      assert.deepEqual(backend.calls, ['scan'])
    }
  })

  it('every command takes --quiet', () => {
    const io = { out: () => {}, err: () => {}, stdin: Readable.from([]), env: {} }
    const all = (command: Command): Command[] => [command, ...command.commands.flatMap(all)]
    for (const command of all(makeProgram(io, () => {})))
      assert.ok(
        command.options.some(({ long }) => long === '--quiet'),
        command.name(),
      )
  })
})
