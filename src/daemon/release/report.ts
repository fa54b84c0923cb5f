// Releases as the control API tells of them.
import type { ReleasesReport, SwitchReport } from '../../control/schema-releases.js'
import type { SwitchOrder } from '../../core/release.js'
import type { ReleaseNode, Releases } from './releases.js'

export function releasesReport({
  dir,
  releases,
}: {
  readonly dir: string
  readonly releases: Releases
}): ReleasesReport {
  const { order, waitsFor, releases: list, nodes } = releases.list()
  const devicesWith = (isMeant: (node: ReleaseNode) => boolean): string[] =>
    nodes.filter(isMeant).map(({ device }) => device)
  return {
    dir,
    follows: nodes[0]?.follows ?? false,
    order: order === undefined ? null : switchReport(order),
    waitsFor: waitsFor ?? null,
    releases: list.map(({ name, manifest, hold }) => ({
      name,
      created: manifest?.created ?? null,
      by: manifest?.by ?? null,
      files: manifest?.files ?? null,
      bytes: manifest?.bytes ?? null,
      hold,
      shownBy: devicesWith(({ current }) => current === name),
      heldBy: devicesWith(({ complete }) => complete.includes(name)),
    })),
    nodes: nodes.map(({ device, name, follows, isConnected, current }) => {
      return { device, name, follows, connected: isConnected, current: current ?? null }
    }),
  }
}

export function switchReport({ name, when, by, time, sequence }: SwitchOrder): SwitchReport {
  return { name, when, by, time, sequence }
}
