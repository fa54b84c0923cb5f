// The seam between `shoal join` and one-time invites: what was typed is either a secret already, or an invite that a
// running member exchanges for one.
import type { CliIo } from './io.js'

/** Where to look for the member that made an invite. */
export interface RedeemWays {
  /** "host:port" each. */
  readonly knownHosts: readonly string[]
  /** "host:port" each. */
  readonly bootstrap: readonly string[]
}

export interface Redeemed {
  /** The text of a secret, not parsed yet. */
  readonly secret: string
  /** What the inviting member calls the share. */
  readonly name?: string
}

/** The secret that a text stands for. */
export async function redeem(_io: CliIo, text: string, _ways: RedeemWays): Promise<Redeemed> {
  return { secret: text }
}
