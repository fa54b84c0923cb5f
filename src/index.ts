// The public surface of the package, all of it: run a node in your own program, ask a node that runs elsewhere, and
// handle secrets. What is not exported here may change at any time. examples/embed shows it in use.

export type { ControlBackend } from './control/calls.js'
export { type CallOptions, type ControlClient, controlClient } from './control/client.js'
export type {
  InviteReport,
  InviteRequest,
  MemberReport,
  NewInviteReport,
  PeerReport,
  ProblemReport,
  ShareReport,
  StatusReport,
} from './control/schema.js'
export type {
  ConflictReport,
  Keep,
  ResolveReport,
  ResolveRequest,
  VersionReport,
} from './control/schema-conflicts.js'
export type {
  AcknowledgementReport,
  AcknowledgeRequest,
  ArchiveExtraReport,
  ArchiveExtraRequest,
  DriftDetail,
  DriftPath,
  DriftReport,
  MemberDriftItem,
  MemberDriftReport,
} from './control/schema-drift.js'
export type {
  EntriesReport,
  EntriesRequest,
  EntryReport,
  EntryState,
  HistoryReport,
  HistoryRequest,
  HistoryVersion,
} from './control/schema-entries.js'
export type { HookReport, HookRunReport } from './control/schema-hooks.js'
export type { LimitsReport, LimitsRequest } from './control/schema-limits.js'
export type {
  NewReleaseReport,
  ReleaseNodeReport,
  ReleaseReport,
  ReleasesReport,
  SwitchReport,
} from './control/schema-releases.js'
export type {
  OneOrAll,
  SecretsReport,
  SecretsRequest,
  ShareProblemReport,
} from './control/schema-shares.js'
export { type Goal, type Verdict, type WaitOptions, waitForSync } from './control/wait.js'
export { type ErrorCode, ShoalError } from './core/error.js'
export { deriveSecret, formatSecret, type Grade, parseSecret, type Secret } from './core/secret.js'
export { makeLog } from './daemon/log.js'
export {
  makeSecret,
  type NodeOptions,
  type NodeSettings,
  type ShareSettings,
  type ShoalNode,
  startNode,
} from './daemon/node.js'
export type { Log, LogLevel } from './ports/log.js'
