// The keys of an entry of on_change: a hook. Unlike BitTorrent Sync's keys these are ours alone, so their values are strict:
// durations have their unit, and a program is a list, lest a shell is thought to be there.
import { isAbsolute } from 'node:path'
import { z } from 'zod'
import { patternFault } from '../hooks/patterns.js'
import { type Keys, works } from './key-info.js'
import { duration, flag, path, text, whole, wrong } from './values.js'

export interface HookShape {
  readonly match: readonly string[]
  readonly run: readonly string[]
  /** Milliseconds. */
  readonly settle: number
  /** Milliseconds. */
  readonly timeout: number
  readonly retry: { readonly times: number; readonly wait: number }
  readonly own_changes: boolean
  readonly cwd?: string | undefined
  readonly env: Readonly<Record<string, string>>
}

const MAX_PATTERNS = 64
const MAX_WORDS = 256
const MAX_HOOKS = 64
const MAX_VARIABLES = 64
const PROGRAM = 'a list of a program and its arguments, ["systemctl", "reload", "postfix"]: there is no shell'

const pattern = text("a pattern in .gitignore's language", (value) => patternFault(value) === undefined)
const patterns = 'a pattern or a list of patterns'
/** One pattern, or several. */
export const match: z.ZodType<string[]> = z.preprocess(
  (value) => (typeof value === 'string' ? [value] : value),
  z
    .array(pattern, { error: wrong(patterns) })
    .min(1, { error: 'is empty, expected a pattern at least' })
    .max(MAX_PATTERNS, { error: `is longer than ${MAX_PATTERNS} patterns` }),
)

const word = z
  .string({ error: wrong('a text') })
  .refine((value) => isWord(value), { error: wrong('a text without NUL characters') })
/** A relative path would be the share's: whoever may write there could have anything run here. */
const program = text(
  'the name of a program or its absolute path',
  (value) => isWord(value) && (!value.includes('/') || isAbsolute(value)),
)
const run = z
  .tuple([program], word, { error: wrong(PROGRAM) })
  .refine((words) => words.length <= MAX_WORDS, { error: `is longer than ${MAX_WORDS} words` })

const retry = z.object(
  {
    times: whole(0, 100, 'a number from 0 to 100').default(3),
    wait: duration('100ms', '10m').default(5000),
  },
  { error: wrong('{"times": number, "wait": duration}') },
)

/** The keys of a hook's retry. */
export const RETRY: readonly string[] = Object.keys(retry.shape)

const NAME = /^(?!SHOAL_)[A-Za-z_][A-Za-z0-9_]*$/
const env = z
  .record(z.string(), word, { error: wrong('an object of texts') })
  .refine((value) => Object.keys(value).every((name) => NAME.test(name)), {
    error: 'has a name that is none of a variable or begins with SHOAL_, expected letters, digits and "_"',
  })
  .refine((value) => Object.keys(value).length <= MAX_VARIABLES, {
    error: `has more than ${MAX_VARIABLES} variables`,
  })

export const HOOK: Keys<HookShape> = {
  match: works(
    match,
    { type: 'pattern or list', default: 'required' },
    "paths that it is for, in `.gitignore`'s language; the last pattern that matches a path or a directory above it decides, and `!` before one takes out",
  ),
  run: works(
    run,
    { type: 'list of texts', default: 'required' },
    'program (a name, or an absolute path) and arguments; no shell sees them',
  ),
  settle: works(
    duration('0ms', '1h').default(2000),
    { type: 'duration', default: '`"2s"`' },
    'so long nothing that matches must have changed before it runs: `"500ms"`, `"2s"`, `"1m"`, `"1h"`',
  ),
  timeout: works(
    duration('100ms', '24h').default(30_000),
    { type: 'duration', default: '`"30s"`' },
    'after this a run gets SIGTERM, five seconds later SIGKILL, with its whole process group',
  ),
  retry: works(
    retry.prefault({}),
    { type: 'object', default: '`{"times": 3, "wait": "5s"}`' },
    'how often a run that failed is tried again, and how long after; the wait doubles each time, up to ten minutes',
  ),
  own_changes: works(
    flag.default(false),
    { type: 'flag' },
    'also for changes made on this device, once they are published',
  ),
  cwd: works(path.optional(), { type: 'path', default: '`dir`' }, 'where it runs'),
  env: works(
    env.default({}),
    { type: 'object of texts', default: '`{}`' },
    'variables for it; of its own the daemon passes on only `PATH`, `HOME`, `USER`, the language and the like',
  ),
}

/** The value of on_change. */
export const hooks: z.ZodType<readonly HookShape[]> = z
  .array(z.object(HOOK, { error: wrong('an object with "match" and "run"') }), {
    error: wrong('a list of objects with "match" and "run"'),
  })
  .max(MAX_HOOKS, { error: `is longer than ${MAX_HOOKS} hooks` })

function isWord(value: string): boolean {
  return !value.includes('\0') && value.isWellFormed()
}
