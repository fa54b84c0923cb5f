// What tests of blind nodes wait for.
import type { ShareReport } from '../../src/control/schema.js'
import { eventually, type TestNode } from '../support/daemons.js'

/** Resolves when a blind node holds all of what a node has published. */
export async function keepsAll(blind: TestNode, writer: TestNode): Promise<ShareReport> {
  return eventually(`${blind.name} holds all of ${writer.name}`, async () => {
    await writer.client.settle()
    const [kept, told] = [await blind.share(), await writer.share()]
    const isAll = kept.head === told.head && kept.state === 'idle' && kept.blind!.missingPieces === 0
    return isAll ? kept : undefined
  })
}
