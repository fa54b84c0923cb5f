// The daemon's log: pino, one JSON object a line, on standard error unless told otherwise. Promises that no secret gets
// out by accident: every line is searched for the text forms of secrets, the fields that hold keys in our own types are
// blanked by name, and bytes are never printed, only their length.
import { pino } from 'pino'
import { printableJson } from '../core/printable-json.js'
import { redactSecrets } from '../core/secret-redact.js'
import type { Log, LogFields, LogLevel } from '../ports/log.js'

/** Takes finished lines, each with its line end. */
export interface LogSink {
  write(line: string): void
}

/** Fields that hold keys in our own types, should one be logged without its guard (keys.ts). */
const KEY_FIELDS: ReadonlySet<string> = new Set([
  ...[
    'authKey',
    'beaconKey',
    'blockKey',
    'entryKey',
    'blindStateKey',
    'feedBlockKey',
    'keyPair',
    'masterSeed',
    'pieceKey',
  ],
  ...['passSecretKey', 'sealKey', 'secret', 'secretKey', 'seed', 'signingSecretKey', 'sivKey', 'stateKey'],
  ...['tagKey', 'topic'],
])
/** Nothing that is worth logging lies deeper. */
const MAX_DEPTH = 3

/** A log that writes lines of at least `level` to `sink` (default: standard error, at once). */
export function makeLog(level: LogLevel = 'info', sink: LogSink = standardError()): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      // Not pino's own redact option: it copies what it searches and so takes the guards off.
      formatters: { level: (label) => ({ level: label }), bindings: printable, log: printable },
    },
    { write: (line: string) => sink.write(printableJson(redactSecrets(line))) },
  )
}

function standardError(): LogSink {
  const destination = pino.destination({ dest: 2, sync: true })
  // A reader that is gone must not end what is logged about.
  destination.on('error', () => undefined)
  return destination
}

function printable(fields: LogFields): Record<string, unknown> {
  return printableFields(fields, 0)
}

function printableFields(fields: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields))
    copy[name] = KEY_FIELDS.has(name) ? '[key]' : printableValue(value, depth)
  return copy
}

function printableValue(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  // pino prints an error under `err` itself, with its stack.
  if (value instanceof Error) return value
  if ('toJSON' in value && typeof value.toJSON === 'function') return value.toJSON()
  if (depth >= MAX_DEPTH) return '[deep]'
  if (Array.isArray(value)) return value.map((item) => printableValue(item, depth + 1))
  return printableFields(value, depth + 1)
}
