// Whether a device may be powered off, as a pure function of what was found out (schema-copies.ts). Any doubt is a reason
// to stay:
//   not-looked      its disk was not looked at in time: what changed there last may be nowhere else
//   halted, paused  the share does nothing, or speaks with nobody
//   unread          a part of a writer's disk cannot be read, so nobody else can have it
//   only-here       pieces that no member that counts has
//   below-min       pieces that would be on fewer devices than promised; only-here aside
//   below-offsite   the same of devices that are off-site
//   not-read        too few members have read all that was published: removals and the like are in no piece
import type { StopFacts, StopReason } from './schema-copies.js'

/** In the order of this file; empty: it may go. */
export function reasonsToStay(facts: StopFacts): StopReason[] {
  const { looked, standing, writes, onlyHere, belowMin, belowOffsite, complete, min, offsite } = facts
  const reasons: [StopReason, boolean][] = [
    ['not-looked', !looked && standing !== 'halted' && standing !== 'paused'],
    ['halted', standing === 'halted'],
    ['paused', standing === 'paused'],
    ['unread', standing === 'unread' && writes],
    ['only-here', onlyHere.pieces > 0],
    ['below-min', belowMin.pieces > onlyHere.pieces],
    ['below-offsite', belowOffsite.pieces > 0],
    ['not-read', facts.hasRecords && (complete.count < min || complete.offsite < offsite)],
  ]
  return reasons.flatMap(([reason, holds]) => (holds ? [reason] : []))
}
