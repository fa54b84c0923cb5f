// The keys of "webui". No version serves a web interface yet, but what they ask for is checked: an old file that would
// have let anyone in must not do so on the day there is one.
import { done, type Keys, notYet } from './key-info.js'
import { anyText, flag, list, text } from './values.js'

export interface WebuiShape {
  readonly listen?: string | undefined
  readonly login?: string | undefined
  readonly password?: string | undefined
  readonly password_hash?: string | undefined
  readonly api_key?: string | undefined
  readonly allow_empty_password: boolean
  readonly force_https: boolean
  readonly ssl_certificate?: string | undefined
  readonly ssl_private_key?: string | undefined
  readonly dir_whitelist?: readonly string[] | undefined
  readonly directory_root?: string | undefined
}

const UNTIL_WEBUI = 'there is no web interface'
// The line of "webui" itself says it for all of them.
const never = (): boolean => false
const TEXT = { type: 'text', default: 'none' }
const PATH = { type: 'path', default: 'none' }

export const WEBUI: Keys<WebuiShape> = {
  listen: notYet(
    anyText.optional(),
    TEXT,
    'address and port; without it there is no web interface. Anything but this machine (`127.0.0.1`, `[::1]`) needs `login` and a password, or is an error',
    UNTIL_WEBUI,
    never,
  ),
  login: notYet(anyText.optional(), TEXT, 'name to log in with', UNTIL_WEBUI, never),
  password: notYet(anyText.optional(), TEXT, 'password to log in with', UNTIL_WEBUI, never),
  password_hash: notYet(
    anyText.optional(),
    TEXT,
    'its hash in the form of crypt(3), instead of it',
    UNTIL_WEBUI,
    never,
  ),
  allow_empty_password: notYet(
    flag.default(false),
    { type: 'flag' },
    'let anyone in; `true` is an error. BitTorrent Sync had `true`',
    UNTIL_WEBUI,
    never,
  ),
  force_https: notYet(
    flag.default(false),
    { type: 'flag' },
    'no connections without TLS',
    UNTIL_WEBUI,
    never,
  ),
  ssl_certificate: notYet(anyText.optional(), PATH, 'certificate for TLS', UNTIL_WEBUI, never),
  ssl_private_key: notYet(anyText.optional(), PATH, 'its private key', UNTIL_WEBUI, never),
  dir_whitelist: notYet(
    list('paths', text('a path')).optional(),
    { type: 'list of paths', default: 'all' },
    'folders that may be shown and shared',
    UNTIL_WEBUI,
    never,
  ),
  directory_root: notYet(
    anyText.optional(),
    { type: 'path', default: '`/`' },
    'where its folder browser starts; later files have it at the root',
    UNTIL_WEBUI,
    never,
  ),
  api_key: done(
    anyText,
    { type: 'text' },
    "BitTorrent Sync's API is not offered; scripts use `--json` and the control API (docs/cli.md)",
    (value) => value !== '',
  ),
}
