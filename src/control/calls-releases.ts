// The calls about releases.
import { nothing, type Routes } from './route.js'
import {
  type NewReleaseReport,
  newReleaseReport,
  type ReleaseRequest,
  type ReleasesReport,
  type RemoveReleaseRequest,
  type RollbackRequest,
  releaseRequest,
  releasesReports,
  removeReleaseRequest,
  rollbackRequest,
  type SwitchReport,
  type SwitchRequest,
  switchReport,
  switchRequest,
} from './schema-releases.js'

export interface ReleaseCalls {
  /** One for each share. */
  releases(): Promise<readonly ReleasesReport[]>
  /** Makes a release; resolves when published. NOT_FOUND, SECRET_GRADE, USAGE, EXISTS, RELEASE_UNFIT, IO, SHARE_HALTED. */
  release(request: ReleaseRequest): Promise<NewReleaseReport>
  /** Has nodes show a release. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  switchRelease(request: SwitchRequest): Promise<SwitchReport>
  /** Has them show what they showed before. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  rollbackRelease(request: RollbackRequest): Promise<SwitchReport>
  /** Takes a release away. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  removeRelease(request: RemoveReleaseRequest): Promise<void>
}

const PLACE = '"share": place in the configuration'
const WHEN = '"when": "now", "all" or how many nodes'

export const RELEASE_ROUTES: Routes<ReleaseCalls> = {
  releases: {
    ...{ method: 'GET', path: '/v1/releases', tag: 'releases', input: undefined, answer: releasesReports },
    summary: 'the releases of every share, and which node shows which',
  },
  release: {
    ...{ method: 'POST', path: '/v1/releases', tag: 'releases' },
    ...{ input: releaseRequest, answer: newReleaseReport },
    summary: 'make a release of the live tree of a share',
    takes: `{${PLACE}, "name", "keep": if wanted, ${WHEN}, or null}`,
  },
  switchRelease: {
    ...{ method: 'POST', path: '/v1/releases/switch', tag: 'releases' },
    ...{ input: switchRequest, answer: switchReport },
    summary: 'have nodes show a release',
    takes: `{${PLACE}, "name": name of a release, ${WHEN}}`,
  },
  rollbackRelease: {
    ...{ method: 'POST', path: '/v1/releases/rollback', tag: 'releases' },
    ...{ input: rollbackRequest, answer: switchReport },
    summary: 'have nodes show what they showed before',
    takes: `{${PLACE}}`,
  },
  removeRelease: {
    ...{ method: 'POST', path: '/v1/releases/remove', tag: 'releases' },
    ...{ input: removeReleaseRequest, answer: nothing },
    summary: 'take a release away',
    takes: `{${PLACE}, "name": name of a release}`,
  },
}
