// What tests of releases ask of nodes.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import type { ReleasesReport } from '../../src/control/schema-releases.js'
import { eventually, type TestNode, type World } from './daemons.js'

/** A node that holds releases alone; nothing runs until start. */
export function follower(world: World, name: string, share: object = {}): Promise<TestNode> {
  return world.node(name, { grade: 'read', share: { follow: 'releases', ...share } })
}

/** The text of the link by which a node shows a release. */
export function shownBy(node: TestNode): string | undefined {
  const stat = fs.lstatSync(node.at('current'), { throwIfNoEntry: false })
  return stat?.isSymbolicLink() ? fs.readlinkSync(node.at('current')) : undefined
}

export async function shows(node: TestNode, name: string): Promise<void> {
  await eventually(`${node.name} shows ${name}`, () => shownBy(node) === `releases/${name}`)
}

export async function releasesOf(node: TestNode): Promise<ReleasesReport> {
  return (await node.client.releases())[0]!
}

/** Waits for a problem with this code; its detail. */
export async function problemAt(node: TestNode, code: string): Promise<string> {
  const found = await eventually(`${node.name} tells ${code}`, async () => {
    const { problems } = await node.share()
    return problems.find((problem) => problem.code === code)
  })
  return found.detail
}

/** Runs `shoal release ...`; what it prints. */
export async function release(world: World, ...args: string[]): Promise<string> {
  const { exit, out, err } = await world.run(['release', ...args])
  assert.equal(exit, 0, err)
  return out
}
