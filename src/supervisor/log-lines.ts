// The logs of many daemons on one standard error, each line with the instance it is from. Promises: lines come out whole
// and in the order of their daemon; none is lost; a reader that is slow makes daemons wait and takes no memory here; what
// is no JSON (warnings, what a library prints) becomes a log line too, without any secret in it.
import fs from 'node:fs'
import type { Readable } from 'node:stream'
import { printableJson } from '../core/printable-json.js'
import { redactSecrets } from '../core/secret-redact.js'

/** Longer lines come out in pieces, as texts. */
const MAX_LINE_BYTES = 256 << 10
/** Before a reader that takes nothing at the moment is tried again. */
const RETRY_MS = 20
const NEWLINE = 0x0a

/** Takes finished lines, each with its line end. */
export interface LineSink {
  /** Resolves when the reader has it. */
  write(lines: string): Promise<void>
}

/** Writes to an open file, one write after the other. A reader that is gone for good ends nothing: there is none to tell. */
export class FileSink implements LineSink {
  readonly #fd: number
  #last: Promise<void> = Promise.resolve()

  constructor(fd: number) {
    this.#fd = fd
  }

  write(lines: string): Promise<void> {
    this.#last = this.#last.then(() => this.#all(Buffer.from(lines)))
    return this.#last
  }

  async #all(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const written = await writeSome(this.#fd, bytes.subarray(at))
      if (written === undefined) return
      if (written === 0) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      at += written
    }
  }
}

/** 0: nothing can be written just now; undefined: never again. */
function writeSome(fd: number, bytes: Buffer): Promise<number | undefined> {
  return new Promise((resolve) =>
    fs.write(fd, bytes, (error, written) => {
      if (error === null) resolve(written)
      else resolve(error.code === 'EAGAIN' || error.code === 'EINTR' ? 0 : undefined)
    }),
  )
}

/**
 * Passes the lines of a stream on, with the instance's name; resolves at its end. Reads on only when what was read is
 * written. `onText` gets every line that is no JSON.
 */
export async function passLines(
  from: Readable,
  instance: string,
  sink: LineSink,
  onText: (line: string) => void = () => {},
): Promise<void> {
  let rest: Buffer = Buffer.alloc(0)
  const pass = async (lines: readonly Buffer[]): Promise<void> => {
    const texts = lines.map((line) => line.toString('utf8').replace(/\r$/, '')).filter((line) => line !== '')
    for (const text of texts) if (fieldsOf(text) === undefined) onText(redactSecrets(text))
    if (texts.length > 0) await sink.write(texts.map((text) => labelled(text, instance)).join(''))
  }
  try {
    for await (const chunk of from as AsyncIterable<Buffer>) {
      const { lines, left } = split(rest.length === 0 ? chunk : Buffer.concat([rest, chunk]))
      rest = left
      await pass(lines)
    }
  } catch {
    // A pipe that breaks ends like one that is closed: what came through is passed on.
  }
  await pass([rest])
}

/** A line of a daemon's log with the name of its instance in front; one that is no JSON as the text of a line. */
export function labelled(line: string, instance: string, now: () => Date = () => new Date()): string {
  const label = `{"instance":${JSON.stringify(instance)},`
  const own = fieldsOf(line)
  // Of two fields of one name readers believe the last: no daemon is to speak for another.
  if (own !== undefined && 'instance' in own)
    return `${printableJson(JSON.stringify({ ...own, instance }))}\n`
  if (own !== undefined) return `${label}${printableJson(line).slice(1)}\n`
  const text = redactSecrets(line)
  const [, kind, message] = /^(?:(warning|note|hint): )?(.*)$/s.exec(text)!
  const level = kind === undefined ? 'error' : kind === 'warning' ? 'warn' : 'info'
  const fields = { level, time: now().toISOString(), msg: message }
  return `${label}${printableJson(JSON.stringify(fields)).slice(1)}\n`
}

/** Undefined if it is no JSON. */
function fieldsOf(line: string): Readonly<Record<string, unknown>> | undefined {
  if (!line.startsWith('{"') || !line.endsWith('}')) return undefined
  try {
    return JSON.parse(line) as Record<string, unknown>
  } catch {
    // A line that only looks like one of the log's.
    return undefined
  }
}

function split(bytes: Buffer): { lines: Buffer[]; left: Buffer } {
  const lines: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, start)) {
    lines.push(bytes.subarray(start, end))
    start = end + 1
  }
  const left = bytes.subarray(start)
  if (left.length <= MAX_LINE_BYTES) return { lines, left: Buffer.from(left) }
  return { lines: [...lines, left], left: Buffer.alloc(0) }
}
