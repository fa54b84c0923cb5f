// What a hook's program prints: taken line by line, each cut and only so many logged, so that no program fills the log; the
// end of it is kept for the status, which has no second guard against a secret that a program prints. Promises: never holds
// more than a line and the end.
import type { Readable } from 'node:stream'
import { redactSecrets } from '../core/secret-redact.js'

/** Of a line, in UTF-16 units; what is longer is cut. */
export const MAX_LINE = 1000
/** Lines of one run that are logged; what comes after is counted. */
export const MAX_LINES = 200
/** Of what is kept for the status. */
export const MAX_TAIL = 2000

export type OutputName = 'stdout' | 'stderr'

export class HookOutput {
  readonly #onLine: (name: OutputName, line: string) => void
  #lines = 0
  #tail = ''

  constructor(onLine: (name: OutputName, line: string) => void) {
    this.#onLine = onLine
  }

  /** Its last lines, both outputs as they came. */
  get tail(): string {
    return this.#tail
  }

  /** Lines that were not logged. */
  get unlogged(): number {
    return Math.max(0, this.#lines - MAX_LINES)
  }

  /** Takes all of a stream; what it fails with ends it. */
  take(name: OutputName, stream: Readable): void {
    let rest = ''
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop()!
      for (const line of lines) this.#line(name, line)
      // What is cut anyway need not be kept.
      if (rest.length > MAX_LINE + 1) rest = rest.slice(0, MAX_LINE + 1)
    })
    stream.on('error', () => stream.destroy())
    stream.once('close', () => {
      if (rest !== '') this.#line(name, rest)
      rest = ''
    })
  }

  #line(name: OutputName, text: string): void {
    const line = redactSecrets(text)
    const cut = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE)}...` : line
    this.#tail = `${this.#tail}${cut}\n`.slice(-MAX_TAIL)
    if (++this.#lines <= MAX_LINES) this.#onLine(name, cut)
  }
}
