// Which capabilities a daemon keeps after it is no longer root. None today: nothing this version does needs one
// (docs/decisions/0013). Files get other owners than the daemon's once owners are carried; what that
// needs will be named here, and nowhere else.

/** A Linux capability by its name in capabilities(7). */
export type Capability = 'CAP_CHOWN' | 'CAP_FOWNER' | 'CAP_DAC_READ_SEARCH'

/** What of root's rights a daemon of this configuration keeps. */
export function capabilitiesFor(_config: unknown): readonly Capability[] {
  return []
}
