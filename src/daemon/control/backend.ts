// What the control API tells of a running daemon and does to it: the calls of all resources, put together.
import type { ControlBackend } from '../../control/calls.js'
import { conflictCalls } from './conflict-calls.js'
import { copyCalls } from './copy-calls.js'
import { driftCalls } from './drift-calls.js'
import { entryCalls } from './entry-calls.js'
import { folderCalls } from './folder-calls.js'
import { hookCalls } from './hook-calls.js'
import { inviteCalls } from './invite-calls.js'
import { limitCalls } from './limit-calls.js'
import { liveCalls } from './live-calls.js'
import { logCalls } from './log-calls.js'
import { memberCalls } from './member-calls.js'
import { releaseCalls } from './release-calls.js'
import { secretCalls } from './secret-calls.js'
import { shareCalls } from './share-calls.js'
import { trustCalls } from './trust-calls.js'
import type { DaemonView } from './view.js'

export function daemonBackend(view: DaemonView): ControlBackend {
  return {
    ...shareCalls(view),
    ...memberCalls(view),
    ...conflictCalls(view),
    ...copyCalls(view),
    ...driftCalls(view),
    ...folderCalls(view),
    ...releaseCalls(view),
    ...hookCalls(view),
    ...inviteCalls(view),
    ...logCalls(view),
    ...liveCalls(view),
    ...entryCalls(view),
    ...limitCalls(view),
    ...secretCalls(view),
    ...trustCalls(view),
  }
}
