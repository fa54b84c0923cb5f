// The members of a share (members.ts) and its blind nodes, made from its parts.
import { randomBytes } from 'node:crypto'
import type { Log } from '../../ports/log.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import { BlindMembers } from '../blind/blind-members.js'
import { Members, type MembersOptions } from './members.js'
import type { ShareOptions } from './share-options.js'

export interface MemberParts extends Pick<MembersOptions, 'onEnrolled' | 'describe'> {
  readonly peers: () => readonly SharePeer[]
}

export function makeMembers(options: ShareOptions, prefix: string, log: Log, parts: MemberParts): Members {
  const { identity, deviceName, keys, database, instance, nowMs } = options
  const { device, secretKey } = identity.device
  return new Members({
    database,
    prefix,
    own: { device, secretKey, name: deviceName, grade: keys.grade === 'write' ? 'write' : 'read' },
    instance,
    shareId: keys.shareId,
    stateKey: keys.read.stateKey,
    nowMs,
    nonce: () => randomBytes(24),
    log,
    ...parts,
  })
}

export function makeBlindMembers(
  { identity, keys, database, nowMs }: ShareOptions,
  prefix: string,
  log: Log,
  peers: () => readonly SharePeer[],
): BlindMembers {
  const { device } = identity.device
  const { shareId, blindStateKey } = keys
  return new BlindMembers({ database, prefix, device, shareId, blindStateKey, nowMs, log, peers })
}
