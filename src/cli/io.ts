// What the commands see of their process, so that tests can run them within their own.
import type { Readable } from 'node:stream'
import type { ProgressScreen } from './progress/screen.js'

export interface CliIo {
  /** Standard output; the text has its line ends. */
  out(text: string): void
  /** Standard output, bytes as they are; resolves when there is room for more. Absent: text is all it takes. */
  write?(bytes: Buffer): Promise<void>
  /** Standard error. */
  err(text: string): void
  readonly stdin: Readable
  readonly env: Readonly<Record<string, string | undefined>>
  /** Columns of the terminal that standard error is; undefined, or absent: it is none. */
  columns?(): number | undefined
  /** Notes are not wanted (--quiet). */
  readonly isQuiet?: boolean
  /** Where progress is shown; absent: nowhere. */
  readonly progress?: Pick<ProgressScreen, 'show' | 'isShown'>
}

/** The process this module runs in. */
export function processIo(): CliIo {
  const { stderr, env } = process
  return {
    out: (text) => void process.stdout.write(text),
    write: (bytes) =>
      new Promise((resolve, reject) => {
        process.stdout.write(bytes, (failed) => (failed ? reject(failed) : resolve()))
      }),
    err: (text) => void stderr.write(text),
    stdin: process.stdin,
    env,
    // A dumb terminal cannot clear a line.
    columns: () => (stderr.isTTY && env.TERM !== 'dumb' ? (stderr.columns ?? 80) : undefined),
  }
}
