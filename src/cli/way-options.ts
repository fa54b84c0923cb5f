// How a command that runs without a configuration leaves this machine, as far as the command line goes: --proxy and --relay,
// for proxy_* and relays. What they mean is in proxy-option.ts, imported only when it is done.
import { type Command, Option } from 'commander'
import { hostOption } from './folder-commands.js'

export interface WayOptions {
  readonly proxy?: string
  readonly proxyPasswordFile?: string
  readonly proxyAllowDirect?: boolean
  /** "host:port" each. */
  readonly relay?: readonly string[]
}

/** `when`: what each description begins with. */
export function addWayOptions(command: Command, when = ''): Command {
  return command
    .addOption(
      new Option(
        '--proxy <type://[name@]host:port>',
        `${when}reach everybody through this proxy (socks5, socks4, http), and nobody past it`,
      ),
    )
    .addOption(
      new Option('--proxy-password-file <file>', `${when}read the password for the proxy from a file`),
    )
    .addOption(
      new Option(
        '--proxy-allow-direct',
        `${when}use the DHT beside the proxy, which shows where this machine is`,
      ),
    )
    .addOption(
      hostOption(
        '--relay <host:port>',
        `${when}a relay, for members whom no direct connection reaches; again for more`,
      ),
    )
}
