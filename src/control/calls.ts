// Every call of the control API, in one interface and one table. A resource's calls and their table are in a file of
// their own; a new resource is added to the three lists here.
import { CONFLICT_ROUTES, type ConflictCalls } from './calls-conflicts.js'
import { COPY_ROUTES, type CopyCalls } from './calls-copies.js'
import { DRIFT_ROUTES, type DriftCalls } from './calls-drift.js'
import { ENTRY_ROUTES, type EntryCalls } from './calls-entries.js'
import { FOLDER_ROUTES, type FolderCalls } from './calls-folders.js'
import { HOOK_ROUTES, type HookCalls } from './calls-hooks.js'
import { INVITE_ROUTES, type InviteCalls } from './calls-invites.js'
import { LIMIT_ROUTES, type LimitCalls } from './calls-limits.js'
import { LIVE_ROUTES, type LiveCalls } from './calls-live.js'
import { LOG_ROUTES, type LogCalls } from './calls-log.js'
import { MEMBER_ROUTES, type MemberCalls } from './calls-members.js'
import { RELEASE_ROUTES, type ReleaseCalls } from './calls-releases.js'
import { SECRET_ROUTES, type SecretCalls } from './calls-secrets.js'
import { SHARE_ROUTES, type ShareCalls } from './calls-shares.js'
import { TRUST_ROUTES, type TrustCalls } from './calls-trust.js'
import type { Routes } from './route.js'

/** What the daemon answers with. Rejections become error reports. */
export interface ControlBackend
  extends ShareCalls,
    MemberCalls,
    ConflictCalls,
    CopyCalls,
    DriftCalls,
    FolderCalls,
    ReleaseCalls,
    HookCalls,
    InviteCalls,
    LogCalls,
    LiveCalls,
    EntryCalls,
    LimitCalls,
    SecretCalls,
    TrustCalls {}

export type CallName = keyof ControlBackend

export const ROUTES: Routes<ControlBackend> = {
  ...SHARE_ROUTES,
  ...MEMBER_ROUTES,
  ...CONFLICT_ROUTES,
  ...COPY_ROUTES,
  ...DRIFT_ROUTES,
  ...FOLDER_ROUTES,
  ...RELEASE_ROUTES,
  ...HOOK_ROUTES,
  ...INVITE_ROUTES,
  ...LOG_ROUTES,
  ...LIVE_ROUTES,
  ...ENTRY_ROUTES,
  ...LIMIT_ROUTES,
  ...SECRET_ROUTES,
  ...TRUST_ROUTES,
}
