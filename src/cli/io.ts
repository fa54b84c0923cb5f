// What the commands see of their process, so that tests can run them within their own.
import type { Readable } from 'node:stream'

export interface CliIo {
  /** Standard output; the text has its line ends. */
  out(text: string): void
  /** Standard error. */
  err(text: string): void
  readonly stdin: Readable
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The process this module runs in. */
export function processIo(): CliIo {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    stdin: process.stdin,
    env: process.env,
  }
}
