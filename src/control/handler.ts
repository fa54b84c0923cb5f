// The control API as one function from request to response, over a backend that the daemon provides. It knows nothing of
// sockets. Promises: it never rejects; every failure is an ErrorReport whose message holds no secret.
import type { z } from 'zod'
import { meaningOf, ShoalError, toShoalError } from '../core/error.js'
import { redactSecrets } from '../core/secret-redact.js'
import type { Log } from '../ports/log.js'
import {
  approveRequest,
  type ConflictReport,
  type ErrorReport,
  forgetRequest,
  type InviteReport,
  type InviteRequest,
  inviteRequest,
  type NewInviteReport,
  type PeerReport,
  revokeRequest,
  type StatusReport,
} from './schema.js'
import {
  type AcknowledgeRequest,
  type ArchiveExtraReport,
  type ArchiveExtraRequest,
  acknowledgeRequest,
  archiveExtraRequest,
  type DriftPath,
  type DriftReport,
  type MemberDriftReport,
  withdrawRequest,
} from './schema-drift.js'
import { runHooksRequest } from './schema-hooks.js'
import {
  type NewReleaseReport,
  type ReleaseRequest,
  type ReleasesReport,
  type RemoveReleaseRequest,
  type RollbackRequest,
  releaseRequest,
  removeReleaseRequest,
  rollbackRequest,
  type SwitchReport,
  type SwitchRequest,
  switchRequest,
} from './schema-releases.js'

/** What the daemon answers with. Rejections become error reports. */
export interface ControlBackend {
  status(): Promise<StatusReport>
  peers(): Promise<PeerReport[]>
  conflicts(): Promise<ConflictReport[]>
  drift(): Promise<DriftReport[]>
  /** What all members have reported of themselves. */
  driftOfAll(): Promise<MemberDriftReport[]>
  /** Says that a drift is meant. NOT_FOUND: no such share, or no drift there; USAGE: the reason or how long it holds. */
  acknowledge(request: AcknowledgeRequest): Promise<DriftReport>
  /** NOT_FOUND: nothing was said of that path. */
  withdraw(request: DriftPath): Promise<void>
  /** Moves extra files to the archive. NOT_FOUND: no such share; SHARE_HALTED; USAGE. */
  archiveExtra(request: ArchiveExtraRequest): Promise<ArchiveExtraReport>
  /** A full scan of all shares; resolves when it is done and announced. */
  scan(): Promise<void>
  /** Resolves when all that changed on disk before the call is seen, scanned and announced. */
  settle(): Promise<void>
  /** Lifts the halt (A5) of the share at this place in the configuration, or of all. NOT_FOUND: no such share. */
  approve(shareIndex?: number): Promise<void>
  /**
   * Drops a device from the members of all shares that it is silent in, until it is heard of again. USAGE: it is
   * connected; NOT_FOUND: no such member.
   */
  forget(device: string): Promise<void>
  /** Runs what is pending of one hook, or of all; resolves when that is done or has to wait. NOT_FOUND: no such hook. */
  runHooks(hook?: number): Promise<void>
  /** Those that have not expired, oldest first. */
  invites(): Promise<InviteReport[]>
  /** Makes an invite. NOT_FOUND: no such share; SECRET_GRADE; USAGE: its life, or too many are open. */
  invite(request: InviteRequest): Promise<NewInviteReport>
  /** Ends an open invite, or forgets a closed one. NOT_FOUND: no such invite. */
  revokeInvite(id: string): Promise<void>
  /** One for each share. */
  releases(): Promise<ReleasesReport[]>
  /** Makes a release. NOT_FOUND: no such share; SECRET_GRADE, USAGE, EXISTS, RELEASE_UNFIT, IO, SHARE_HALTED. */
  release(request: ReleaseRequest): Promise<NewReleaseReport>
  /** Has nodes show a release. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  switchRelease(request: SwitchRequest): Promise<SwitchReport>
  /** Has them show what they showed before. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  rollbackRelease(request: RollbackRequest): Promise<SwitchReport>
  /** Takes a release away. NOT_FOUND, SECRET_GRADE, RELEASE_UNFIT. */
  removeRelease(request: RemoveReleaseRequest): Promise<void>
  /** Asks the daemon to stop; returns at once. */
  stop(): void
}

export interface ControlRequest {
  readonly method: string
  /** Without query. */
  readonly path: string
  /** JSON, or nothing. */
  readonly body?: string
}

export interface ControlResponse {
  readonly status: number
  /** A JSON value. */
  readonly body: unknown
}

const INVITE = '{"share": place in the configuration, "grade": write or read, "lifeMs": milliseconds}'

const SHARE = '{"share": place in the configuration, from 0}'
const NAMED = '{"share": place in the configuration, "name": name of a release}'
const WHEN = '"when": "now", "all" or how many nodes'
const SWITCH = `{"share": place in the configuration, "name": name of a release, ${WHEN}}`
const RELEASE = `{"share": place in the configuration, "name", "keep": if wanted, ${WHEN}, or null}`
const PATH = '{"share": place in the configuration, "path": PATH}'
const SAID = '{"share": place in the configuration, "path": PATH, "reason": TEXT, "lifeMs": milliseconds}'
const PATHS = '{"share": place in the configuration, from 0, "paths": [PATH, ...]}'

type Route = (body: string) => Promise<unknown>

/** Answers requests from the backend. */
export function controlHandler(
  backend: ControlBackend,
  log: Log,
): (request: ControlRequest) => Promise<ControlResponse> {
  const routes: ReadonlyMap<string, Route> = new Map<string, Route>([
    ['GET /v1/status', () => backend.status()],
    ['GET /v1/peers', () => backend.peers()],
    ['GET /v1/conflicts', () => backend.conflicts()],
    ['GET /v1/drift', () => backend.drift()],
    ['GET /v1/drift/all', () => backend.driftOfAll()],
    [
      'POST /v1/drift/acknowledge',
      async (body) => backend.acknowledge(parseBody(acknowledgeRequest, body, SAID)),
    ],
    ['POST /v1/drift/withdraw', async (body) => backend.withdraw(parseBody(withdrawRequest, body, PATH))],
    [
      'POST /v1/drift/archive-extra',
      async (body) => backend.archiveExtra(parseBody(archiveExtraRequest, body, PATHS)),
    ],
    ['POST /v1/scan', () => backend.scan()],
    ['POST /v1/settle', () => backend.settle()],
    ['POST /v1/approve', async (body) => backend.approve(shareOf(body))],
    ['POST /v1/forget', async (body) => backend.forget(deviceOf(body))],
    ['POST /v1/hooks/run', async (body) => backend.runHooks(hookOf(body))],
    ['GET /v1/invites', () => backend.invites()],
    ['POST /v1/invites', async (body) => backend.invite(parseBody(inviteRequest, body, INVITE))],
    ['POST /v1/invites/revoke', async (body) => backend.revokeInvite(inviteOf(body))],
    ['GET /v1/releases', () => backend.releases()],
    ['POST /v1/releases', async (body) => backend.release(parseBody(releaseRequest, body, RELEASE))],
    [
      'POST /v1/releases/switch',
      async (body) => backend.switchRelease(parseBody(switchRequest, body, SWITCH)),
    ],
    [
      'POST /v1/releases/rollback',
      async (body) => backend.rollbackRelease(parseBody(rollbackRequest, body, SHARE)),
    ],
    [
      'POST /v1/releases/remove',
      async (body) => backend.removeRelease(parseBody(removeReleaseRequest, body, NAMED)),
    ],
    ['POST /v1/stop', async () => backend.stop()],
  ])
  return async ({ method, path, body }) => {
    try {
      const route = routes.get(`${method} ${path}`)
      if (route === undefined) throw new ShoalError('NOT_FOUND', 'there is no such call in the control API')
      return { status: 200, body: (await route(body ?? '')) ?? {} }
    } catch (thrown) {
      const error = toShoalError(thrown)
      if (error.code === 'INTERNAL') log.error({ err: thrown, method, path }, 'a control call failed')
      return errorResponse(error)
    }
  }
}

/** The response that tells of an error. */
export function errorResponse(error: ShoalError): ControlResponse {
  const { status, hint } = meaningOf(error.code)
  const body: ErrorReport = { error: { code: error.code, message: redactSecrets(error.message), hint } }
  return { status, body }
}

function shareOf(body: string): number | undefined {
  const what = '{"share": place in the configuration, from 0}'
  return parseBody(approveRequest, body, what).share
}

function hookOf(body: string): number | undefined {
  return parseBody(runHooksRequest, body, '{"hook": its number, from 1}').hook
}

function deviceOf(body: string): string {
  return parseBody(forgetRequest, body, '{"device": 64 hex digits}').device
}

function inviteOf(body: string): string {
  return parseBody(revokeRequest, body, '{"id": 8 hex digits}').id
}

function parseBody<T>(schema: z.ZodType<T>, body: string, what: string): T {
  let value: unknown = {}
  try {
    if (body !== '') value = JSON.parse(body)
  } catch (cause) {
    throw new ShoalError('USAGE', 'the body of the request is not JSON', { cause })
  }
  const parsed = schema.safeParse(value)
  if (!parsed.success) throw new ShoalError('USAGE', `the body of the request is not ${what}`)
  return parsed.data
}
