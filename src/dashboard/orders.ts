// Does what a person has asked for on the dashboard.
import type { ControlClient } from '../control/client.js'
import type { Order } from './screens/screen.js'

/** How long drift stays acknowledged: as shoal drift acknowledge has it. */
const ACKNOWLEDGE_MS = 30 * 86_400_000

/** The calls that orders need. */
export type OrderClient = Pick<
  ControlClient,
  | 'scan'
  | 'approve'
  | 'pause'
  | 'resume'
  | 'resolveConflict'
  | 'acknowledgeDrift'
  | 'withdrawDrift'
  | 'archiveExtra'
  | 'restoreDrift'
>

/** Resolves with what was done, for a person. Rejects as the client does. */
export async function carryOut(client: OrderClient, order: Order): Promise<string> {
  const { share } = order
  switch (order.type) {
    case 'acknowledge':
      await client.acknowledgeDrift({ share, path: order.path, reason: order.reason, lifeMs: ACKNOWLEDGE_MS })
      return `${order.path} is acknowledged for 30 days`
    case 'withdraw':
      await client.withdrawDrift({ share, path: order.path })
      return `${order.path} is drift again`
    case 'archive-extra': {
      const { left } = await client.archiveExtra({ share, paths: [order.path] })
      return left.length === 0 ? `${order.path} is in the archive` : `left: ${left[0]!.detail}`
    }
    case 'restore': {
      const { left } = await client.restoreDrift({ share, paths: [order.path] })
      return left.length === 0 ? `${order.path} is as the share says` : `left: ${left[0]!.detail}`
    }
    case 'resolve': {
      const { copy, keep, id } = order
      const { path, at, archived } = await client.resolveConflict({
        ...{ share, copy, keep },
        ...(id === '' ? {} : { id }),
      })
      if (keep === 'both') return `both are kept: ${path}, ${at ?? copy}`
      return archived === null ? `${path} is settled` : `${path} is settled; the other one: ${archived}`
    }
    case 'approve':
      await client.approve({ share })
      return 'it goes on'
    case 'pause':
      await client.pause({ share })
      return 'it is paused'
    case 'resume':
      await client.resume({ share })
      return 'it goes on'
    case 'rescan':
      await client.scan({ share })
      return 'the disk was looked through'
  }
}
