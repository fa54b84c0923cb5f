// What tests of blind nodes wait for, and how they restore.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import type { ShareReport } from '../../src/control/schema.js'
import { formatSecret } from '../../src/core/secret.js'
import type { RestoreReport } from '../../src/daemon/restore/report.js'
import { eventually, type TestNode, type World } from '../support/daemons.js'
import { snapshot, type Tree } from '../support/trees.js'

/** Resolves when a blind node holds all of what a node has published. */
export async function keepsAll(blind: TestNode, writer: TestNode, timeoutMs?: number): Promise<ShareReport> {
  const isKept = async (): Promise<ShareReport | undefined> => {
    await writer.client.settle()
    const [kept, told] = [await blind.share(), await writer.share()]
    const isAll = kept.head === told.head && kept.state === 'idle' && kept.blind!.missingPieces === 0
    return isAll ? kept : undefined
  }
  return eventually(`${blind.name} holds all of ${writer.name}`, isKept, timeoutMs)
}

/**
 * Resolves when a node that asks is told that a blind node holds all that the share needs. What was replaced before the blind
 * node got it may be missing there, and be gone.
 */
export async function keepsLive(blind: TestNode, node: TestNode, timeoutMs: number): Promise<void> {
  await node.client.settle()
  const { inquiry } = await node.client.askMembers()
  const isHeld = async (): Promise<boolean> => {
    const [report] = await node.client.members({ inquiry })
    return report!.members.some(({ name, confirmed }) => name === blind.name && confirmed)
  }
  await eventually(`${node.name} knows that ${blind.name} holds all`, isHeld, timeoutMs)
}

/** Runs `shoal restore` into a folder of the world that is not there yet; all of it must come. */
export async function restored(
  world: World,
  to: string,
  ...options: string[]
): Promise<{ readonly report: RestoreReport; readonly tree: Tree }> {
  const secretFile = path.join(world.root, 'secret')
  fs.writeFileSync(secretFile, formatSecret(world.secret), { mode: 0o600 })
  const dir = path.join(world.root, to)
  const { exit, out, err } = await world.run([
    ...['restore', '--secret-file', secretFile, '--no-search-lan', '--json', '--to', dir],
    ...options,
  ])
  assert.equal(exit, 0, `${err}${out}`)
  return { report: JSON.parse(out) as RestoreReport, tree: snapshot(dir) }
}

/** Ends servers at once, and takes all that they had. */
export async function loseDisks(servers: readonly TestNode[]): Promise<void> {
  for (const server of servers) {
    await server.kill()
    fs.rmSync(path.dirname(server.configFile), { recursive: true })
  }
}

/** A copy of a blind node's vault, as a disk that was taken away has it. */
export function copyOfVault(blind: TestNode, to: string): void {
  fs.cpSync(blind.dir, to, { recursive: true, filter: (at) => !at.includes('.shoal') })
}
