// Does what a person has asked for on the dashboard.
import type { ControlClient } from '../control/client.js'
import type { Order } from './screens/screen.js'

/** How long drift stays acknowledged: as shoal drift acknowledge has it. */
const ACKNOWLEDGE_MS = 30 * 86_400_000

/** The calls that orders need. */
export type OrderClient = Pick<
  ControlClient,
  'scan' | 'approve' | 'acknowledgeDrift' | 'withdrawDrift' | 'archiveExtra'
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
    case 'approve':
      await client.approve({ share })
      return 'it goes on'
    case 'rescan':
      await client.scan()
      return 'the disk was looked through'
    default:
      return 'not there yet'
  }
}
