// Two datacentres that lose each other for minutes while both are written to: each goes on by itself, and when the line
// is back all hold the same, and nothing that anybody wrote is lost.
import path from 'node:path'
import { writeSecretOf } from '../../../src/core/secret.js'
import type { Host, Router } from '../lab.js'
import { tellLogs } from '../meeting.js'
import { eventually, LabNode, PORT, pause } from '../node.js'
import { type Context, expect, type Row, type Scenario } from '../scenario.js'

const PARTED_S = 120
/** A pair of writes on both sides so often. */
const WRITE_EVERY_S = 5
const LINK = { forth: { delayMs: 10, rateBitsPerSecond: 50e6 } }

export const partition: Scenario = {
  name: 'partition',
  table: 'A partition',
  limitS: PARTED_S + 180,
  async run(context: Context): Promise<readonly Row[]> {
    const { lab } = context
    const sites = [1, 2].map((number) => lab.lan(`dc${number}`, { ipv4: `6.6.${number}` }))
    const routers: Router[] = []
    for (const [i, lan] of sites.entries())
      routers.push(await lab.router(`dc${i + 1}`, lan, { nat: 'none', link: LINK }))
    const hosts: Host[] = []
    for (const [i, lan] of [...sites, ...sites].entries()) {
      const host = lab.host(`n${(i % 2) + 1}${i < 2 ? 'a' : 'b'}`)
      await lab.join(host, lan)
      hosts.push(host)
    }
    const secret = writeSecretOf(Buffer.from(crypto.getRandomValues(new Uint8Array(32))))
    const nodes = hosts.map((host) => {
      const known = hosts.filter((each) => each !== host).map((each) => `${each.address()}:${PORT}`)
      return new LabNode({
        ...{ host, secret, home: path.join(context.folder, host.name) },
        share: { known_hosts: known, search_lan: true },
      })
    })
    try {
      return await run(context, nodes as [LabNode, LabNode, LabNode, LabNode], async (isCut) => {
        await (isCut ? routers[1]!.wan.cut() : routers[1]!.wan.heal())
      })
    } catch (thrown) {
      tellLogs(context, nodes)
      throw thrown
    }
  },
}

async function run(
  { say }: Context,
  nodes: readonly [LabNode, LabNode, LabNode, LabNode],
  cut: (isCut: boolean) => Promise<void>,
): Promise<readonly Row[]> {
  const [left, right, leftToo, rightToo] = nodes
  await Promise.all(nodes.map((node) => node.start()))
  left.write('both.txt', 'before')
  left.write('edited-and-deleted.txt', 'before')
  await settled(nodes, 60_000, ['both.txt', 'edited-and-deleted.txt'])
  await cut(true)
  const cutMs = performance.now()
  left.write('both.txt', 'left')
  right.write('both.txt', 'right')
  left.write('edited-and-deleted.txt', 'edited')
  await right.client.settle()
  const rounds = Math.floor(PARTED_S / WRITE_EVERY_S)
  for (let i = 0; i < rounds; i++) {
    left.write(`left/${i}.txt`, `left ${i}`)
    right.write(`right/${i}.txt`, `right ${i}`)
    await pause(WRITE_EVERY_S * 1000)
  }
  // Each side by itself: what was written at one node of it is at the other one.
  const last = rounds - 1
  await eventually('the left side goes on by itself', 20_000, () => leftToo.read(`left/${last}.txt`))
  await eventually('the right side goes on by itself', 20_000, () => rightToo.read(`right/${last}.txt`))
  expect(right.read('left/0.txt') === undefined, 'nothing passes a link that is cut')
  const apart = (await left.peers()).map(({ name }) => name)
  expect(apart.length === 1, `a side sees that the other one is gone, not ${apart.join(', ')}`)
  const partedS = (performance.now() - cutMs) / 1000
  say(`parted for ${partedS.toFixed(0)} s, ${rounds} files written on each side`)
  await cut(false)
  const healMs = performance.now()
  const names = ['both.txt', 'edited-and-deleted.txt', `left/${last}.txt`, `right/${last}.txt`]
  await settled(nodes, 120_000, names)
  const convergedMs = performance.now() - healMs
  for (const node of nodes) {
    for (let i = 0; i < rounds; i++)
      for (const side of ['left', 'right']) {
        const text = node.read(`${side}/${i}.txt`)?.toString()
        expect(text === `${side} ${i}`, `${node.host.name} has ${side}/${i}.txt`)
      }
    const copies = node.names().filter((name) => name.startsWith('both'))
    const texts = copies.map((name) => node.read(name)!.toString()).sort()
    expect(
      texts.join() === 'left,right',
      `${node.host.name} keeps both versions of a file: ${copies.join(', ')}`,
    )
    expect(node.read('edited-and-deleted.txt')?.toString() === 'edited', 'an edited file has its edit')
  }
  return [
    {
      case: `two datacentres of two nodes each, parted for ${partedS.toFixed(0)} s, ${rounds} files written on each side and one on both`,
      outcome: `all equal ${(convergedMs / 1000).toFixed(1)} s after the line was back; both versions of the file are kept on all`,
    },
  ]
}

/** Waits until all hold the same and lack nothing, those files among it. */
async function settled(nodes: readonly LabNode[], limitMs: number, names: readonly string[]): Promise<void> {
  await eventually(
    'all nodes hold the same',
    limitMs,
    async () => {
      if (nodes.some((node) => names.some((name) => node.read(name) === undefined))) return false
      const shares = await Promise.all(nodes.map((node) => node.share()))
      const [{ digest }] = shares as [(typeof shares)[0]]
      return shares.every(
        (share) => share.digest === digest && share.state === 'idle' && share.needFiles === 0,
      )
    },
    200,
  )
}
