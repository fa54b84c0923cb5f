// What is wrong with a relay, and what to do about it: words for whoever runs this device.
import type { Refusal } from '../core/relay-wire.js'
import { failureWords } from './dial-failure.js'
import { ProxyError } from './proxy-dial.js'

export interface RelayTrouble {
  readonly problem: string
  readonly todo: string
}

/** There is no connection, or it has ended. */
export function lostTrouble(thrown: unknown): RelayTrouble {
  return { problem: failureWords(thrown), todo: todoOf(thrown) }
}

/** It is there, and does not serve a share. */
export function refusedTodo(why: Refusal): string {
  switch (why) {
    case 'not-allowed':
      return 'give its operator the pass of the share (shoal secret relay-pass), or name another relay'
    case 'busy':
      return 'it bears no more now, and is asked again; or name another relay'
    default:
      return 'it is asked again; if that does not help, see docs/relay.md'
  }
}

function todoOf(thrown: unknown): string {
  if (thrown instanceof ProxyError)
    return thrown.fault === 'target' || thrown.fault === 'slow'
      ? 'is a relay running there, and does the proxy connect to it?'
      : 'see the proxy: shoal doctor net'
  const code = thrown instanceof Error ? (thrown as NodeJS.ErrnoException).code : undefined
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'see how the name is written, and /etc/resolv.conf'
  if (code === 'EACCES' || code === 'EPERM') return 'see the firewall of this machine'
  return 'is a relay running there, on that port, and is TCP let through to it?'
}
