// How one side asks over a proven connection for further shares in common: a list of ids, each computed with a share's
// key, mixed with random ones. The other side recognises those of its own shares and opens their channels; the rest,
// even how many there are, tells it next to nothing (X1).
import { randomBytes, randomInt } from 'node:crypto'
import type { Link } from './link.js'
import { otherRole, PROOF_BYTES } from './proof.js'
import type { ShareMembers } from './share-swarm.js'

/** Offers come in multiples of this. */
const OFFER_PADDING = 8

/** Offers of these shares with at least one random one in between, in random order. */
export function offersOf(shares: Iterable<ShareMembers>, link: Link): Buffer[] {
  const list: Buffer[] = []
  for (const share of shares) list.push(share.offerIdOn(link, link.role))
  do list.push(randomBytes(PROOF_BYTES))
  while (list.length % OFFER_PADDING !== 0)
  for (let i = list.length - 1; i > 0; i--) {
    const j = randomInt(i + 1)
    const swapped = list[i]!
    list[i] = list[j]!
    list[j] = swapped
  }
  return list
}

/** Those of our shares that the other side offers and that have no channel on the connection yet. */
export function sharesOffered(
  ids: readonly Buffer[],
  shares: Iterable<ShareMembers>,
  link: Link,
): ShareMembers[] {
  const offered = new Set(ids.map((id) => id.toString('hex')))
  const remoteRole = otherRole(link.role)
  return [...shares].filter(
    (share) => !share.isOn(link) && offered.has(share.offerIdOn(link, remoteRole).toString('hex')),
  )
}
