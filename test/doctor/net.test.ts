// shoal doctor net as a process: with a daemon and without one, its DHT and its relay on loopback. No router is asked: who
// listens on loopback alone is reached by none.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DoctorReport } from '../../src/cli/doctor-command.js'
import { type TestNode, World } from '../support/daemons.js'
import { privateDht } from '../support/dht.js'
import { until } from '../support/until.js'

let world: World
let nodes: TestNode[]
before(async () => {
  world = new World()
  nodes = await world.start(['a', 'b'])
  await until('they have met', async () => (await nodes[0]!.client.peers()).length === 1)
})
after(() => world.close())

/** Lines "level check: text", and the exit code. */
async function doctorNet(file: string): Promise<{ exit: number | null; lines: string[] }> {
  const { exit, out, err } = await world.run(['doctor', 'net', file, '--json'])
  assert.equal(err, '')
  const [report] = JSON.parse(out) as DoctorReport[]
  assert.equal(report?.config, file)
  return { exit, lines: report.findings.map(({ check, level, text }) => `${level} ${check}: ${text}`) }
}

function has(lines: readonly string[], pattern: RegExp): void {
  assert.ok(
    lines.some((line) => pattern.test(line)),
    `${pattern}\n${lines.join('\n')}`,
  )
}

describe('shoal doctor net', () => {
  it('with a daemon: what it listens on, who sees it as what, and who is connected', async () => {
    const [node] = nodes as [TestNode, TestNode]
    const { exit, lines } = await doctorNet(node.configFile)
    has(lines, /^ok configuration: would run/)
    has(lines, /^warn listening: TCP port \d+ of 127\.0\.0\.1: only this machine/)
    has(lines, /^ok port: .* is the daemon's/)
    has(lines, /^(?:ok|warn) firewall: /)
    has(lines, /^warn mapping: no router is asked/)
    has(lines, /^ok outside: seen as 127\.0\.0\.1 by 1 member/)
    has(lines, /^ok dht: no folder uses it/)
    has(lines, /^ok relays: none/)
    has(lines, /^ok daemon: runs/)
    has(lines, /^ok members: 1 member connected: 1 by TCP/)
    assert.equal(exit, 0)
    const text = (await world.run(['doctor', 'net', node.configFile])).out
    assert.match(text, /\n {2}warn {2}mapping: .*\n {8}do: "use_upnp": true/)
    const status = (await world.run(['status', node.configFile])).out
    assert.match(status, /\nnetwork: TCP port \d+ of 127\.0\.0\.1; .*1 member sees 127\.0\.0\.1\n/)
  })

  it('without one: the DHT is asked, a router that cannot reach it is not, and a relay that is not there is told', async () => {
    const bootstrap = await privateDht(world, 3)
    const config = JSON.parse(fs.readFileSync(nodes[0]!.configFile, 'utf8')) as Record<string, unknown>
    const [folder] = config.shared_folders as object[]
    const dir = join(world.root, 'other')
    const storage = join(world.root, 'storage')
    fs.mkdirSync(dir)
    fs.mkdirSync(storage, { mode: 0o700 })
    const file = join(world.root, 'stopped.conf')
    const text = JSON.stringify({
      ...config,
      ...{ storage_path: storage, listening_port: 0, listen_host: '127.0.0.1', bootstrap },
      ...{ use_upnp: true, relays: ['127.0.0.1:9'] },
      shared_folders: [{ ...folder, dir, use_dht: true, known_hosts: [] }],
    })
    fs.writeFileSync(file, text, { mode: 0o600 })
    const { exit, lines } = await doctorNet(file)
    has(lines, /^warn listening: a port that the first start picks of 127\.0\.0\.1/)
    has(lines, /^ok dht: the DHT of your own nodes: 3 nodes answer/)
    has(lines, /^(?:ok|warn) nat: /)
    has(lines, /^warn mapping: the router was not asked/)
    has(lines, /^warn relays: 127\.0\.0\.1:9: nobody listens there \(ECONNREFUSED\)/)
    has(lines, /^warn daemon: is not running/)
    has(lines, /^warn members: the daemon does not run/)
    assert.equal(exit, 0)
    fs.writeFileSync(file, text.replace('"listening_port":0', '"listening_port":20999'), { mode: 0o600 })
    const again = await doctorNet(file)
    has(
      again.lines,
      /^warn mapping: (?:the router .* opens no port: listen_host 127\.0\.0\.1 cannot be reached|no router opens no port)/,
    )
  })

  it('a configuration that would not run is all there is to say', async () => {
    const file = join(world.root, 'bad.conf')
    fs.writeFileSync(file, '{"storage_path": 5}', { mode: 0o600 })
    const { exit, lines } = await doctorNet(file)
    has(lines, /^fail configuration: .*storage_path/)
    assert.equal(exit, 1)
  })
})
