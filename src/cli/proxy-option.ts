// What --proxy and what belongs to it mean: a proxy as of proxy_* in a configuration.
// Promises: a password is never an argument, and no message holds what was given as --proxy, as it may have one in it.
import { isHidden, type ProxyConfig, type ProxyKeys, proxyOfKeys } from '../config/proxy.js'
import { readSecretText } from '../config/secret-file.js'
import { ShoalError } from '../core/error.js'
import { parseHostPort } from './option-values.js'
import type { WayOptions } from './way-options.js'

/** As proxy_type has them, and as other programs call the same. */
const TYPES: Readonly<Record<string, string>> = {
  socks4: 'socks4',
  socks4a: 'socks4',
  socks5: 'socks5',
  socks5h: 'socks5',
  http_connect: 'http_connect',
  http: 'http_connect',
}
const PROXY_FORM =
  '--proxy: expected TYPE://HOST:PORT or TYPE://NAME@HOST:PORT, with socks5, socks4 or http as the type'

/** The proxy that is asked for. Throws USAGE, CONFIG_UNREADABLE. */
export async function proxyOfOptions(
  options: WayOptions & { readonly bootstrap?: readonly string[] },
): Promise<ProxyConfig | undefined> {
  const { proxy: text, proxyPasswordFile: file, proxyAllowDirect = false, bootstrap = [] } = options
  if (text === undefined) {
    if (file !== undefined || proxyAllowDirect)
      throw new ShoalError('USAGE', '--proxy-password-file and --proxy-allow-direct are for --proxy')
    return undefined
  }
  const { username, ...place } = placeOf(text)
  if (file !== undefined && username === undefined)
    throw new ShoalError('USAGE', '--proxy-password-file needs a name: --proxy TYPE://NAME@HOST:PORT')
  const proxy = checked({
    ...place,
    proxy_auth: username !== undefined,
    proxy_username: username,
    proxy_password: file === undefined ? undefined : await readSecretText(file),
    proxy_allow_direct: proxyAllowDirect,
  })
  if (isHidden(proxy) && bootstrap.length > 0)
    throw new ShoalError(
      'USAGE',
      'no proxy here carries the DHT, and asking it would show where this machine is: leave out --bootstrap, or add --proxy-allow-direct',
    )
  return proxy
}

/** A failure with what is known of its reasons beside its own. */
export function withReasons(thrown: unknown, reasons: readonly (string | undefined)[]): unknown {
  const known = reasons.filter((reason) => reason !== undefined)
  if (!(thrown instanceof ShoalError) || known.length === 0) return thrown
  return new ShoalError(thrown.code, [thrown.message, ...known].join('; '), { cause: thrown })
}

/** What is wrong with the proxy that was dialled through, ready to print. */
export function proxyProblem(
  dial: { readonly standing: () => { readonly problem: string | undefined } } | undefined,
): string | undefined {
  return dial?.standing().problem
}

function placeOf(
  text: string,
): Required<Pick<ProxyKeys, 'proxy_type' | 'proxy_addr' | 'proxy_port'>> & { username: string | undefined } {
  const [, scheme = '', login, at = ''] = /^([a-z0-9_]+):\/\/(?:(.*)@)?([^@/]+)\/?$/i.exec(text) ?? []
  const type = TYPES[scheme.toLowerCase()]
  if (login?.includes(':'))
    throw new ShoalError(
      'USAGE',
      '--proxy has a password in it, which other users can see and the shell keeps: give the name alone, and --proxy-password-file',
    )
  const place = type === undefined ? undefined : hostAndPort(at)
  if (type === undefined || place === undefined) throw new ShoalError('USAGE', PROXY_FORM)
  return { proxy_type: type, proxy_addr: place.host, proxy_port: place.port, username: decoded(login) }
}

function hostAndPort(text: string): ReturnType<typeof parseHostPort> | undefined {
  try {
    return parseHostPort(text, 1)
  } catch (thrown) {
    if (thrown instanceof ShoalError) return undefined
    throw thrown
  }
}

/** Names may be written as URLs have them. */
function decoded(login: string | undefined): string | undefined {
  try {
    return login === undefined ? undefined : decodeURIComponent(login)
  } catch {
    throw new ShoalError('USAGE', PROXY_FORM)
  }
}

function checked(keys: ProxyKeys): ProxyConfig | undefined {
  const faults: string[] = []
  const proxy = proxyOfKeys(keys, (key, message) => faults.push(`${key} ${message}`))
  if (faults.length > 0) throw new ShoalError('USAGE', `--proxy: ${faults.join('; ')}`)
  return proxy
}
