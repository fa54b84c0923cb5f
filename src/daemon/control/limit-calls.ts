// The calls about rates (X4).
import type { LimitCalls } from '../../control/calls-limits.js'
import type { LimitsReport, LimitsRequest } from '../../control/schema-shares.js'
import type { DaemonView } from './view.js'

export function limitCalls({ rates }: DaemonView): LimitCalls {
  const report = (): LimitsReport => ({
    download: rates.download.bytesPerSecond,
    upload: rates.upload.bytesPerSecond,
    holdLocally: rates.holdLocally,
  })
  return {
    async limits(): Promise<LimitsReport> {
      return report()
    },

    async setLimits(request: LimitsRequest): Promise<LimitsReport> {
      rates.set(request)
      return report()
    },
  }
}
