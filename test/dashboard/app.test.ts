// The component drawn by ink on a terminal that only remembers what it was sent: what a person would see of it, how much
// is written for a change, and that the terminal is given back.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, it } from 'node:test'
import type { Instance } from 'ink'
import { createElement } from 'react'
import type { Effect } from '../../src/dashboard/model/keys.js'
import type { World } from '../../src/dashboard/model/world.js'
import { DashboardStore } from '../../src/dashboard/store.js'
import { App, keysOf } from '../../src/dashboard/view/app.js'
import { loadInk, render } from '../../src/dashboard/view/ink.js'
import { Painter } from '../../src/dashboard/view/painter.js'
import { themeOf } from '../../src/dashboard/view/theme.js'
import { until } from '../support/until.js'
import { busyWorld, daemon, world } from './scene.js'

process.env.TZ = 'UTC'
await loadInk()

const ESC = '\u001b['
const LINE = new RegExp(`${ESC.replace('[', '\\[')}(\\d+);1H([\\s\\S]*?)${ESC.replace('[', '\\[')}K`, 'g')
const STYLE = new RegExp(`${ESC.replace('[', '\\[')}[\\d;]*m`, 'g')

/** Keeps the lines that were drawn, by the sequences that the painter uses. */
class FakeTerminal extends EventEmitter {
  columns = 80
  rows = 24
  readonly writes: string[] = []
  #lines: string[] = []

  write(text: string): void {
    this.writes.push(text)
    if (text.includes(`${ESC}2J`)) this.#lines = []
    for (const [, row, line] of text.matchAll(LINE)) this.#lines[Number(row) - 1] = line!
  }

  resize(columns: number, rows: number): void {
    Object.assign(this, { columns, rows })
    this.emit('resize')
  }

  get lines(): string[] {
    return this.#lines.map((line) => line.replace(STYLE, '').trimEnd())
  }
}

/** As much of a terminal's input as ink asks for. */
class FakeInput extends EventEmitter {
  readonly isTTY = true
  #waiting: string[] = []

  setEncoding(): void {}
  setRawMode(): void {}
  resume(): void {}
  pause(): void {}
  ref(): void {}
  unref(): void {}

  read(): string | null {
    return this.#waiting.shift() ?? null
  }

  type(text: string): void {
    this.#waiting.push(text)
    this.emit('readable')
  }
}

interface Shown {
  readonly terminal: FakeTerminal
  readonly input: FakeInput
  readonly store: DashboardStore
  readonly effects: Effect[]
  show(world: World): void
  /** Waits until the screen shows that: React draws a moment later. */
  shows(pattern: RegExp): Promise<void>
}

function shown(body: (shown: Shown) => void | Promise<void>, of = busyWorld()): () => Promise<void> {
  return async () => {
    const [terminal, input, effects] = [new FakeTerminal(), new FakeInput(), [] as Effect[]]
    let now = of
    const painter: Painter = new Painter(terminal, () => store.redraw())
    const store = new DashboardStore({
      world: () => now,
      size: () => ({ columns: painter.columns, rows: painter.rows }),
      onEffect: (effect) => effects.push(effect),
      onInterest: () => {},
    })
    const app: Instance = render(createElement(App, { store, theme: themeOf({ TERM: 'xterm-256color' }) }), {
      ...{ stdout: painter as unknown as NodeJS.WriteStream, stdin: input as unknown as NodeJS.ReadStream },
      ...{ debug: true, exitOnCtrlC: false, patchConsole: false },
    })
    try {
      // Ink listens for keys only after its first effects.
      await new Promise((resolve) => setImmediate(resolve))
      await body({
        ...{ terminal, input, store, effects },
        show: (next) => {
          now = next
          store.redraw()
        },
        shows: (pattern) => until(`${pattern}`, () => pattern.test(terminal.lines.join('\n'))),
      })
    } finally {
      store.close()
      app.unmount()
      painter.close()
    }
    assert.ok(terminal.writes.at(-1)!.includes(`${ESC}?1049l`), 'the screen was given back')
    assert.ok(terminal.writes.at(-1)!.includes(`${ESC}?25h`), 'and the cursor')
    assert.equal(terminal.listenerCount('resize'), 0)
  }
}

describe('the dashboard on a terminal', () => {
  it(
    'fills it exactly, and shows what the frame says',
    shown(({ terminal }) => {
      assert.equal(terminal.lines.length, 24)
      assert.match(terminal.lines[0]!, /^ shoal/)
      assert.match(terminal.lines.join('\n'), /▸ photos/)
      assert.match(terminal.lines[23]!, /q quit$/)
    }),
  )

  it(
    'writes nothing where nothing has changed, and only the lines that have',
    shown(async ({ terminal, show, shows }) => {
      const before = terminal.writes.length
      show(busyWorld())
      show({ ...busyWorld(), nowMs: busyWorld().nowMs + 1000 })
      await shows(/20:31:06/)
      assert.equal(terminal.writes.length, before + 1)
      const rows = [...terminal.writes.at(-1)!.matchAll(/\[(\d+);1H/g)].map(([, row]) => Number(row))
      // The clock, and how long somebody is gone.
      assert.ok(rows.includes(1) && rows.length <= 2, `${rows}`)
    }),
  )

  it(
    'obeys keys as a terminal sends them',
    shown(async ({ input, effects, shows }) => {
      input.type('6')
      await shows(/THIS, at the path/)
      input.type('\u001b[B')
      await shows(/▸ 2026\/budget\.ods/)
      // Two at once, as from a fast hand.
      input.type('oy')
      await until('the order', () => effects.length === 1)
      input.type('/budget\r')
      await shows(/\/budget 1 of 2[\s\S]*q quit$/)
      input.type('\u0003')
      await until('the end', () => effects.length === 2)
      assert.deepEqual(effects.at(-1), { type: 'quit' })
    }),
  )

  it(
    'is drawn anew for another size',
    shown(async ({ terminal, shows }) => {
      terminal.resize(60, 18)
      await shows(/q quit$/)
      assert.equal(terminal.lines.length, 18)
      assert.ok(terminal.lines.every((line) => line.length <= 60))
      assert.match(terminal.lines[17]!, /q quit$/)
      terminal.resize(160, 45)
      await shows(/DAEMON[\s\S]*q quit$/)
      assert.equal(terminal.lines.length, 45)
    }),
  )

  it(
    'has a line for each that is empty, too',
    shown(
      ({ terminal }) => {
        assert.equal(terminal.lines.length, 24)
        assert.match(terminal.lines[23]!, /q quit$/)
      },
      world(daemon('a')),
    ),
  )
})

describe('keys of a terminal', () => {
  const none = Object.fromEntries(
    [
      ...['upArrow', 'downArrow', 'leftArrow', 'rightArrow', 'pageDown', 'pageUp', 'home', 'end', 'return'],
      ...['escape', 'ctrl', 'shift', 'tab', 'backspace', 'delete', 'meta'],
    ].map((name) => [name, false]),
  ) as unknown as Parameters<typeof keysOf>[1]

  it('are told apart', () => {
    assert.deepEqual(keysOf('x', none), [{ name: 'text', text: 'x' }])
    assert.deepEqual(keysOf('c', { ...none, ctrl: true }), [{ name: 'quit' }])
    assert.deepEqual(keysOf('d', { ...none, ctrl: true }), [])
    assert.deepEqual(keysOf('', { ...none, tab: true, shift: true }), [{ name: 'back-tab' }])
    assert.deepEqual(keysOf('', { ...none, delete: true }), [{ name: 'backspace' }])
    assert.deepEqual(keysOf('', none), [])
    // Escape and q, typed so fast that they come at once.
    assert.deepEqual(keysOf('q', { ...none, meta: true }), [{ name: 'escape' }, { name: 'text', text: 'q' }])
  })
})
