// What a hook's program finds in its environment: as little as programs need, what the hook sets, and what it is called
// for. Nothing else of the daemon's own, which may hold what is nobody's business.

import { RUN_VARIABLE } from './group.js'

/** What a hook is called for. */
export interface HookCall {
  /** Of the hook in the configuration, from 1. */
  readonly number: number
  /** The share's directory, absolute. */
  readonly dir: string
  /** The beginning of the share's id, public. */
  readonly share: string
  /** Changed paths. */
  readonly count: number
  /** What the run's processes are known by. */
  readonly word: string
}

type Environment = Readonly<Record<string, string | undefined>>

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
/** Who it runs as, its language and its time zone; see also LC_*. */
const PASSED = ['HOME', 'USER', 'LOGNAME', 'SHELL', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'XDG_RUNTIME_DIR']

/** The whole environment of a hook's program. */
export function hookEnvironment(
  own: Environment,
  env: Readonly<Record<string, string>>,
  { number, dir, share, count, word }: HookCall,
): Record<string, string> {
  const passed = Object.entries(own).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (PASSED.includes(entry[0]) || entry[0].startsWith('LC_')),
  )
  return {
    ...Object.fromEntries(passed),
    PATH: searchPath(own),
    ...env,
    SHOAL_HOOK: String(number),
    SHOAL_DIR: dir,
    SHOAL_SHARE: share,
    SHOAL_COUNT: String(count),
    [RUN_VARIABLE]: word,
  }
}

/** Where programs are looked for: never in the directory that one runs in, which may be the share's own. */
export function searchPath({ PATH = '' }: Environment): string {
  const places = PATH.split(':').filter((place) => place.startsWith('/'))
  return places.length === 0 ? DEFAULT_PATH : places.join(':')
}
