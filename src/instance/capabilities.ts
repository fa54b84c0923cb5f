// Which capabilities a daemon keeps after it is no longer root: none (docs/decisions/0013). One that is to give files away
// is root's, or gets CAP_CHOWN and CAP_FOWNER from who starts it as its user (docs/decisions/0022, privileges.ts); whoever
// has them is as good as root over files, so that keeping them is for a person to say, and would be named here.

/** A Linux capability by its name in capabilities(7). */
export type Capability = 'CAP_CHOWN' | 'CAP_FOWNER' | 'CAP_DAC_READ_SEARCH'

/** What of root's rights a daemon of this configuration keeps. */
export function capabilitiesFor(_config: unknown): readonly Capability[] {
  return []
}
