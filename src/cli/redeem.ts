// What was given to `shoal join` is a secret, or an invite that the member who made it exchanges for one.
import type { ProxyConfig } from '../config/proxy.js'
import { isInvite } from '../core/invite.js'
import { silentLog } from '../ports/log.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import { showProgress } from './progress/show.js'
import { proxyProblem, withReasons } from './proxy-option.js'
import { formatCount, printable } from './text.js'

const NO_RELAY =
  'an invite does not go through a relay: bring the secret over another way, or name an address of that device with --known-host'

/** Where to look for the member that made an invite. */
export interface RedeemWays {
  /** "host:port" each. */
  readonly knownHosts: readonly string[]
  /** "host:port" each. */
  readonly bootstrap: readonly string[]
  /** "host:port" each; none is asked, as an invite is known to no relay. */
  readonly relays: readonly string[]
  readonly proxy?: ProxyConfig
  readonly searchLan: boolean
  /** Seconds. */
  readonly timeout: number
}

export interface Redeemed {
  /** The text of a secret, not parsed yet. */
  readonly secret: string
  /** What the inviting member calls the share. */
  readonly name?: string
  /** "host:port" where the inviting member was met. */
  readonly knownHost?: string
}

/** The secret that a text stands for; undefined after Ctrl-C. Throws INVITE_FAILED, CONFIG_INVALID. */
export async function redeem(io: CliIo, text: string, ways: RedeemWays): Promise<Redeemed | undefined> {
  if (!isInvite(text)) return { secret: text }
  const { timeout, relays, proxy, knownHosts, bootstrap, searchLan } = ways
  if (io.isQuiet !== true)
    io.err(`looking for the device that made the invite, for up to ${formatCount(timeout, 'second')}\n`)
  const { redeemInvite } = await import('../invite/redeem.js')
  const { wayOut } = await import('../daemon/way-out.js')
  const way = wayOut({ bootstrap, dhtNode: false, ...(proxy === undefined ? {} : { proxy }) }, silentLog)
  const where = {
    ...{ knownHosts, searchLan, bootstrap: way.bootstrap === 'public' ? [] : way.bootstrap },
    ...(way.dial === undefined ? {} : { dial: way.dial }),
  }
  const redeemed = await showProgress(io, 'join', (progress) =>
    untilInterrupted((signal) => {
      progress.update({ done: 0, unit: 'device', detail: 'looking for the device that made the invite' })
      return redeemInvite(text, { ...where, timeoutMs: timeout * 1000, signal })
    }),
  ).catch((thrown: unknown) => {
    throw withReasons(thrown, [proxyProblem(way.dial), relays.length === 0 ? undefined : NO_RELAY])
  })
  if (redeemed === undefined) return undefined
  const { secret, grade, name, deviceName, knownHost } = redeemed
  io.err(`${printable(deviceName)} gave the ${grade} secret of ${printable(name)}; the invite is used up\n`)
  return { secret, ...(name !== '' && { name }), ...(knownHost !== undefined && { knownHost }) }
}
