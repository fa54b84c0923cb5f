// Where every part writes its log lines. The shape is what pino offers, so that the daemon can pass a pino logger as it
// is; tests pass silentLog or a recorder. Promises: logging never throws and never blocks on the network.
// Callers promise: a message is a fixed sentence (lower case, no full stop), what varies stands in the fields, and
// neither ever holds a secret, a key or the contents of a user's file.

/** Least to be told, most first. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** What varies in a log line. An Error belongs under `err`. */
export type LogFields = Readonly<Record<string, unknown>>

/** Leveled log. `trace` is per message or block, `debug` per decision, `info` per thing a user would tell a friend. */
export interface Log {
  trace(fields: LogFields, message: string): void
  debug(fields: LogFields, message: string): void
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
  /** A log that adds `fields` to every line. */
  child(fields: LogFields): Log
}

/** Swallows everything. */
export const silentLog: Log = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
}
