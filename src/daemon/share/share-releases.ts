// The releases (src/daemon/release) of a share, made from its parts.
import { cleanDeviceName } from '../../core/certificate.js'
import type { DeviceId } from '../../core/ids.js'
import { isExpired } from '../member-limits.js'
import { Releases } from '../release/releases.js'
import type { ShareContext } from './context.js'
import type { Members } from './members.js'
import type { Reports } from './reports.js'
import type { Scanner } from './scanner.js'
import type { ShareOptions, ShareSettings } from './share-options.js'

export interface ReleaseParts {
  readonly context: ShareContext
  readonly members: Members
  readonly reports: Reports
  readonly scanner: Scanner
  readonly settings: () => ShareSettings
  readonly settle: () => Promise<void>
  readonly isConnected: (device: DeviceId) => boolean
}

export function makeReleases(options: ShareOptions, parts: ReleaseParts): Releases {
  const { identity, deviceName, followsReleases, nowMs } = options
  const { scanner, members, settings, isConnected } = parts
  return new Releases({
    context: parts.context,
    device: identity.device.device,
    deviceName: cleanDeviceName(deviceName),
    follows: followsReleases,
    nowMs,
    keep: () => settings().keepReleases,
    settle: parts.settle,
    isDiskKnown: () => scanner.hasScanned,
    withoutLooks: (body) => {
      scanner.hold()
      return body().finally(() => scanner.letGo())
    },
    rescan: (directories) => scanner.markDirty(directories),
    noteMade: (directory) => scanner.noteMade(directory),
    members: () => members.all(),
    isConnected,
    isExpired: ({ state, lastSeenMs }) =>
      !isConnected(state.device) && isExpired(lastSeenMs, nowMs(), settings().peerExpirationDays),
    reports: parts.reports,
  })
}
