// The daemon's log: pino, one JSON object a line, on standard error unless told otherwise. Promises that no secret gets
// out by accident: every line is searched for the text forms of secrets, the fields that hold keys in our own types are
// blanked by name, and bytes are never printed, only their length.
import { pino } from 'pino'
import { redactSecrets } from '../core/secret-redact.js'
import type { Log, LogFields } from '../ports/log.js'

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** Takes finished lines, each with its line end. */
export interface LogSink {
  write(line: string): void
}

const KEY_FIELDS = [
  'secret',
  'secretKey',
  'signingSecretKey',
  'seed',
  'masterSeed',
  'keyPair',
  'authKey',
  'beaconKey',
  'feedBlockKey',
  'blockKey',
  'sivKey',
  'pieceKey',
  'entryKey',
  'stateKey',
  'topic',
]

/** A log that writes lines of at least `level` to `sink` (default: standard error, at once). */
export function makeLog(level: LogLevel = 'info', sink: LogSink = standardError()): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }), log: withoutBytes },
      redact: { paths: KEY_FIELDS.flatMap((name) => [name, `*.${name}`]), censor: '[key]' },
    },
    { write: (line: string) => sink.write(redactSecrets(line)) },
  )
}

function standardError(): LogSink {
  return pino.destination({ dest: 2, sync: true })
}

function withoutBytes(fields: LogFields): Record<string, unknown> {
  const printable: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields))
    printable[name] = value instanceof Uint8Array ? `[${value.length} bytes]` : value
  return printable
}
