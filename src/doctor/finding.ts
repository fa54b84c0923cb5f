// What `shoal doctor` says: one line for each thing it looked at. Data; how it is printed is the command line's.

/** 'warn': works, but not as well as it could, or may not for long. 'fail': does not work. */
export type Level = 'ok' | 'warn' | 'fail'

/** What was looked at. */
export type CheckName =
  | 'system'
  | 'time'
  | 'file-descriptors'
  | 'inotify'
  | 'temporary-files'
  | 'configuration'
  | 'secrets'
  | 'storage'
  | 'folder'
  | 'file-system'
  | 'disk-space'
  | 'port'
  | 'known-hosts'
  | 'listening'
  | 'firewall'
  | 'packets'
  | 'mapping'
  | 'outside'
  | 'dht'
  | 'nat'
  | 'relays'
  | 'proxy'
  | 'members'
  | 'daemon'
  | 'clock'
  | 'problems'
  | 'leftovers'

export interface Finding {
  readonly check: CheckName
  readonly level: Level
  /** What was found, a line: no secret, and maybe names that others chose. */
  readonly text: string
  /** What to do about it; null: nothing. */
  readonly todo: string | null
}

export function ok(check: CheckName, text: string): Finding {
  return { check, level: 'ok', text, todo: null }
}

export function warn(check: CheckName, text: string, todo: string): Finding {
  return { check, level: 'warn', text, todo }
}

export function fail(check: CheckName, text: string, todo: string): Finding {
  return { check, level: 'fail', text, todo }
}

/** Whether nothing keeps it from working. */
export function isWell(findings: readonly Finding[]): boolean {
  return findings.every(({ level }) => level !== 'fail')
}
