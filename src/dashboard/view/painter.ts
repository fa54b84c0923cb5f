// Puts frames on the terminal: stands in for ink's standard output, takes each whole frame that ink makes, and writes the
// lines that have changed, each at its place, all in one write. So nothing flickers, the whole height can be used, and a
// frame never scrolls. (Ink's own incremental rendering loses count of lines where a frame is not as high as the terminal,
// and clears all of the terminal at each frame where it is: 6.8.0, log-update.js, ink.js.)
import { EventEmitter } from 'node:events'

/** What of a terminal is needed. */
export interface Terminal {
  readonly columns?: number
  readonly rows?: number
  write(text: string): unknown
  on(event: 'resize', listener: () => void): unknown
  off(event: 'resize', listener: () => void): unknown
}

const ESC = '\u001b['
/** A screen of its own, as editors have, without a cursor; what was there comes back at the end. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}H${ESC}2J`
const LEAVE = `${ESC}0m${ESC}?25h${ESC}?1049l`
/** A terminal that knows these shows what is between them at once; the others pass over them. */
const BEGIN = `${ESC}?2026h`
const END = `${ESC}?2026l`
const CLEAR = `${ESC}0m${ESC}2J`
const REST = `${ESC}0m${ESC}K`

export class Painter extends EventEmitter {
  /** As ink asks for them. */
  readonly isTTY = true
  readonly writable = true
  readonly #terminal: Terminal
  readonly #onResize: () => void
  #lines: readonly string[] = []
  #isOpen = true

  /** `beforeResize`: is called first when the terminal has another size, before ink draws what it has. */
  constructor(terminal: Terminal, beforeResize: () => void = () => {}) {
    super()
    this.#terminal = terminal
    this.#onResize = () => {
      this.#lines = []
      this.#put(CLEAR)
      beforeResize()
      this.emit('resize')
    }
    terminal.on('resize', this.#onResize)
    this.#put(ENTER)
  }

  get columns(): number {
    return this.#terminal.columns || 80
  }

  get rows(): number {
    return this.#terminal.rows || 24
  }

  /** A whole frame: lines with their styles. What is more than the terminal is high is left out. */
  write(frame: string, ...rest: readonly unknown[]): boolean {
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined
    // Ink writes nothing to learn that all before it is written.
    if (frame !== '' && this.#isOpen) this.#paint(frame.split('\n').slice(0, this.rows))
    done?.()
    return true
  }

  /** Gives the terminal back as it was. May be called again. */
  close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#terminal.off('resize', this.#onResize)
    this.#terminal.write(LEAVE)
  }

  #paint(lines: readonly string[]): void {
    const before = this.#lines
    this.#lines = lines
    const parts: string[] = []
    for (const [at, line] of lines.entries())
      if (line !== before[at]) parts.push(`${ESC}${at + 1};1H${line}${REST}`)
    for (let at = lines.length; at < before.length; at++) parts.push(`${ESC}${at + 1};1H${REST}`)
    if (parts.length > 0) this.#put(BEGIN + parts.join('') + END)
  }

  #put(text: string): void {
    if (this.#isOpen) this.#terminal.write(text)
  }
}
