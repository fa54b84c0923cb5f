// A writer and a reader that has its files, and what the tests of a reader's changes ask about them.
import fs from 'node:fs'
import path from 'node:path'
import type { DriftReport } from '../../src/control/schema-drift.js'
import { keysOf } from '../../src/core/secret.js'
import { openLmdb } from '../../src/store/lmdb.js'
import { pathKey } from '../../src/store/tables.js'
import { path as relPath } from '../support/arbitraries.js'
import { converged, type TestNode, type World, withWorld } from '../support/daemons.js'

export interface Pair {
  readonly world: World
  readonly writer: TestNode
  readonly reader: TestNode
}

/** A writer with some files and a reader that has them. */
export async function withReader(
  share: Readonly<Record<string, unknown>>,
  files: readonly string[],
  body: (pair: Pair) => Promise<void>,
): Promise<void> {
  await withWorld({}, async (world) => {
    const [writer] = (await world.start(['writer'])) as [TestNode]
    for (const name of files) writer.write(name, `share's ${name}`)
    const reader = await world.node('reader', { grade: 'read', share })
    await reader.start()
    await converged([writer, reader])
    await body({ world, writer, reader })
  })
}

/** All contents in a node's archive, by path within it. */
export function archived(node: TestNode): Map<string, string> {
  const archive = node.at('.shoal/archive')
  const names = fs.readdirSync(archive, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => fs.lstatSync(`${archive}/${name}`).isFile())
  return new Map(files.map((name) => [name, fs.readFileSync(`${archive}/${name}`, 'utf8')]))
}

export function hasArchived(node: TestNode, content: string): boolean {
  return [...archived(node).values()].includes(content)
}

export async function driftAt(node: TestNode, path: string): Promise<DriftReport | undefined> {
  return (await node.client.drift()).find((item) => item.path === path)
}

/** Drift as "what path" lines. */
export async function listed(node: TestNode): Promise<string[]> {
  return (await node.client.drift()).map(({ path, kinds }) => `${path}: ${kinds.join(', ')}`).sort()
}

/** Sets how often in a row a stopped reader has just put a path back; returns how often it had. */
export async function setPace(node: TestNode, name: string, times: number): Promise<number | undefined> {
  const database = openLmdb(path.join(node.storage, 'index'))
  try {
    const prefix = keysOf(node.world.secret).shareId.slice(0, 16)
    const table = database.table<[times: number, lastMs: number]>(`${prefix}:restores`)
    const before = table.get(pathKey(relPath(name)))?.[0]
    table.put(pathKey(relPath(name)), [times, Date.now()])
    return before
  } finally {
    await database.close()
  }
}
