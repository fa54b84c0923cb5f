// The list of daemons that are started without being named: AUTOSTART in /etc/default/shoal, or in what is left of the
// Debian package of BitTorrent Sync, /etc/default/btsync. The file is a shell's, but is only read, never run.
import { ShoalError } from '../core/error.js'

export type Autostart =
  | { readonly type: 'all' }
  /** Of instances. */
  | { readonly type: 'names'; readonly names: ReadonlySet<string> }

export const AUTOSTART_ALL: Autostart = { type: 'all' }

const LINE = /^[ \t]*(?:export[ \t]+)?AUTOSTART=(.*)$/gm
const QUOTED = /^(?:"([^"$`\\]*)"|'([^']*)'|([^\s"'$`\\#;&|]*))[ \t]*(?:#.*)?$/

/**
 * Reads AUTOSTART: "all", "none", or names with spaces between; absent or empty: all. The last line wins, as it would in
 * a shell. Throws CONFIG_INVALID with the line for what only a shell could work out.
 */
export function parseAutostart(text: string, fileName: string): Autostart {
  let value = ''
  for (const match of text.replaceAll('\r\n', '\n').matchAll(LINE)) {
    const quoted = QUOTED.exec(match[1]!.trim())
    if (quoted === null) {
      const line = text.slice(0, match.index).split('\n').length
      throw new ShoalError(
        'CONFIG_INVALID',
        `${fileName}:${line}:1: AUTOSTART is not understood, expected AUTOSTART="all", "none", or names with spaces between`,
      )
    }
    value = (quoted[1] ?? quoted[2] ?? quoted[3] ?? '').trim()
  }
  if (value === '' || value === 'all') return AUTOSTART_ALL
  return { type: 'names', names: new Set(value === 'none' ? [] : value.split(/\s+/)) }
}

/** Which of the names are to run: those named by `only`, whatever AUTOSTART says, or else those of AUTOSTART. */
export function isWanted(name: string, autostart: Autostart, only: readonly string[]): boolean {
  if (only.length > 0) return only.includes(name)
  return autostart.type === 'all' || autostart.names.has(name)
}
