// The calls about releases.
import type { ReleaseCalls } from '../../control/calls-releases.js'
import type {
  NewReleaseReport,
  ReleaseRequest,
  ReleasesReport,
  RemoveReleaseRequest,
  RollbackRequest,
  SwitchReport,
  SwitchRequest,
} from '../../control/schema-releases.js'
import { releasesReport, switchReport } from '../release/report.js'
import { type DaemonView, readableOf, shareAt } from './view.js'

export function releaseCalls(view: DaemonView): ReleaseCalls {
  return {
    async releases(): Promise<ReleasesReport[]> {
      const shares = await readableOf(view)
      return shares.map(releasesReport)
    },

    async release({ share, name, keep, when }: ReleaseRequest): Promise<NewReleaseReport> {
      const { releases } = await shareAt(view, share)
      const { manifest, removed } = await releases.create({ name, keep, when: when ?? undefined })
      return { name: manifest.name, files: manifest.files, bytes: manifest.bytes, removed }
    },

    async switchRelease({ share, name, when }: SwitchRequest): Promise<SwitchReport> {
      return switchReport(await (await shareAt(view, share)).releases.switchTo(name, when))
    },

    async rollbackRelease({ share }: RollbackRequest): Promise<SwitchReport> {
      return switchReport(await (await shareAt(view, share)).releases.rollback())
    },

    async removeRelease({ share, name }: RemoveReleaseRequest): Promise<void> {
      await (await shareAt(view, share)).releases.remove(name)
    },
  }
}
