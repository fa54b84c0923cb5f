// The calls about rates (X4).
import type { LimitCalls } from '../../control/calls-limits.js'
import type { HeldLimitReport, HeldReport, LimitsReport, LimitsRequest } from '../../control/schema-limits.js'
import type { HeldLimit, HeldLimits } from '../rate-limits.js'
import { anyShareAt, type DaemonView, isoTime, sharesOf } from './view.js'

type LimitsView = Pick<DaemonView, 'rates' | 'shareLimits' | 'shares'>

export function limitCalls(view: DaemonView): LimitCalls {
  return {
    async limits(): Promise<LimitsReport> {
      return limitsReportOf(view)
    },

    async setLimits({ share, reset, ...given }: LimitsRequest): Promise<LimitsReport> {
      const { rates } = view
      const shares = await sharesOf(view)
      const at = share === undefined ? undefined : shares.indexOf(await anyShareAt(view, share))
      const limits = at === undefined ? undefined : view.shareLimits()[at]
      if (reset === true) rates.reset(limits)
      rates.set(given, limits)
      return limitsReportOf(view)
    },
  }
}

/** What holds now, of all shares together and of those with a limit of their own. */
export function limitsReportOf({ rates, shareLimits, shares }: LimitsView): LimitsReport {
  const dirs = shares().map(({ dir }) => dir)
  return {
    download: rates.download.bytesPerSecond,
    upload: rates.upload.bytesPerSecond,
    holdLocally: rates.holdLocally,
    held: heldReport(rates.held),
    shares: shareLimits().flatMap(({ held }, share) =>
      isLimited(held) ? [{ dir: dirs[share] ?? '', share, ...heldReport(held) }] : [],
    ),
  }
}

function isLimited({ download, upload }: HeldLimits): boolean {
  return [download, upload].some(
    ({ rate, by, untilMs }) => rate > 0 || by !== 'configuration' || untilMs !== undefined,
  )
}

function heldReport({ download, upload }: HeldLimits): HeldReport {
  return { download: limitReport(download), upload: limitReport(upload) }
}

function limitReport({ rate, by, untilMs }: HeldLimit): HeldLimitReport {
  return { rate, by, until: untilMs === undefined ? null : isoTime(untilMs) }
}
