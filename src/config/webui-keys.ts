// The keys of "webui": the control API over TCP. BitTorrent Sync's web interface had them; what its files ask for means
// the same here, but for what would let anyone in (webui.ts).
import { isIP } from 'node:net'
import { z } from 'zod'
import { done, type Keys, notYet, works } from './key-info.js'
import { anyText, flag, list, path, secretText, text, wrong, wrongSecret } from './values.js'

/** A text that is nobody else's business, or the file that holds it. */
export type PrivateText = string | { readonly file: string }

export interface WebuiShape {
  readonly listen?: string | undefined
  readonly login?: string | undefined
  readonly password?: PrivateText | undefined
  readonly password_hash?: PrivateText | undefined
  readonly api_key?: PrivateText | undefined
  readonly hosts: readonly string[]
  readonly allow_empty_password: boolean
  readonly force_https: boolean
  readonly ssl_certificate?: string | undefined
  readonly ssl_private_key?: string | undefined
  readonly dir_whitelist?: readonly string[] | undefined
  readonly directory_root?: string | undefined
}

const LOGIN = 'a name without colons and control characters'
const PATH = { type: 'path', default: 'none' }
const PRIVATE = { type: 'text or object', default: 'none' }
const privateText: z.ZodType<PrivateText> = z.union([secretText, z.object({ file: path })], {
  error: wrongSecret('a text in double quotes, or {"file": "path of a file that holds it"}'),
})
const OR_FILE = 'or `{"file": "PATH"}` of a file that holds it, mode 0600'

export const WEBUI: Keys<WebuiShape> = {
  listen: works(
    anyText.optional(),
    { type: 'text', default: 'none' },
    'IP address and port to serve the control API on, and BitTorrent Sync\'s, see [api-tcp.md](api-tcp.md); without it they are on the socket in `storage_path` alone. Needs `login` with a password, or `api_key`: on this machine alone (`"127.0.0.1:8888"`, `"[::1]:8888"`, `"localhost:8888"`) nothing is served without, on other addresses that is an error',
  ),
  login: works(
    z.union([text(LOGIN, isLogin), z.literal('')], { error: wrong(LOGIN) }).optional(),
    { type: 'text', default: 'none' },
    'name to log in with',
  ),
  password: works(privateText.optional(), PRIVATE, `password to log in with, ${OR_FILE}`),
  password_hash: works(
    privateText.optional(),
    PRIVATE,
    `its hash in the form of crypt(3) instead of it (\`openssl passwd -6\`), ${OR_FILE}`,
  ),
  api_key: works(
    privateText.optional(),
    PRIVATE,
    `key for programs, of 20 characters or more without spaces (\`openssl rand -hex 24\`): \`{"file": "PATH"}\` of a file that holds it, mode 0600, or a text that begins with \`shoal-\`; they send it as \`Authorization: Bearer KEY\` or \`X-Api-Key: KEY\`. Other texts are those of BitTorrent Sync, which were no secret, and let nobody in`,
  ),
  hosts: works(
    list('names like "nas.example"', text('a name like "nas.example"', isHost)).default([]),
    { type: 'list of names' },
    'names and addresses that requests may be for, besides the addresses of this machine and `localhost`; requests for others are refused, as any page could have them pointed here',
  ),
  ssl_certificate: works(
    path.optional(),
    PATH,
    'PEM file of a certificate, with those up to its root; with it TLS alone is spoken. Read again when the configuration is',
  ),
  ssl_private_key: works(
    path.optional(),
    PATH,
    'PEM file of its private key, mode 0600, without a passphrase',
  ),
  force_https: works(
    flag.default(false),
    { type: 'flag' },
    'no connections without TLS: an error where there is no certificate',
  ),
  dir_whitelist: works(
    list('paths', path).optional(),
    { type: 'list of paths', default: 'none' },
    'folders in which shares may be added over TCP; without it none may. BitTorrent Sync allowed all',
  ),
  allow_empty_password: done(
    flag.default(false),
    { type: 'flag' },
    'nobody is let in without credentials; `true` is an error. BitTorrent Sync had `true`',
    () => false,
  ) as z.ZodType<boolean>,
  directory_root: notYet(
    anyText.optional(),
    { type: 'path', default: '`/`' },
    'where its folder browser starts; later files have it at the root',
    'there is no folder browser',
    () => false,
  ),
}

function isLogin(value: string): boolean {
  return !/[:\p{Cc}]/u.test(value) && value.length <= 256
}

/** As it stands in a Host header. */
function isHost(value: string): boolean {
  return value.length <= 253 && (isIP(value) !== 0 || /^[\w-]+(\.[\w-]+)*$/.test(value))
}
