// shoal doctor as a process, on configurations of this test, with and without a daemon.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import type { DoctorReport } from '../../src/cli/doctor-command.js'
import type { Finding } from '../../src/doctor/finding.js'
import { type TestNode, World } from '../support/daemons.js'
import { account, needsUser } from '../support/privileges.js'

let world: World
let node: TestNode
before(async () => {
  world = new World()
  ;[node] = (await world.start(['a'])) as [TestNode]
  node.write('deep/er/file', 'text')
  await node.client.settle()
})
after(() => world.close())

/** Of the report about a configuration, those of one check. */
async function doctor(
  file: string,
): Promise<{ exit: number | null; machine: readonly Finding[]; of: (check: string) => Finding[] }> {
  const { exit, out, err } = await world.run(['doctor', file, '--json'])
  assert.equal(err, '')
  const [machine, instance] = JSON.parse(out) as DoctorReport[]
  assert.equal(machine?.config, null)
  assert.equal(instance?.config, file)
  const of = (check: string): Finding[] => instance.findings.filter((each) => each.check === check)
  return { exit, machine: machine.findings, of }
}

/** Levels and texts, for messages. */
const said = (findings: readonly Finding[]): string =>
  findings.map(({ level, text }) => `${level} ${text}`).join('; ')

describe('shoal doctor', () => {
  it('a daemon that runs: all is ok, exit 0', async () => {
    const { exit, machine, of } = await doctor(node.configFile)
    const levels = ['configuration', 'secrets', 'storage', 'folder', 'port', 'daemon', 'problems'].map(
      (check) => said(of(check)),
    )
    for (const text of levels) assert.match(text, /^ok [^;]*$/)
    assert.match(said(of('port')), /is the daemon's/)
    assert.match(said(of('daemon')), new RegExp(`process ${node.pid}`))
    assert.match(said(of('folder')), /has the marker of its share/)
    assert.match(said(of('inotify')), /3 directories to watch/)
    assert.ok(machine.some(({ check }) => check === 'system'))
    assert.equal(exit, 0)
    assert.deepEqual(fs.readdirSync(node.at('.shoal/staging')), [], 'what was tried is cleared away')
  })

  it('a daemon that does not run: a warning; its port in the hands of another: FAIL, exit 1', async () => {
    const other = net.createServer()
    const copy = join(world.root, 'stopped.conf')
    const storage = join(world.root, 'stopped')
    fs.mkdirSync(storage, { mode: 0o700 })
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
    try {
      const { port } = other.address() as AddressInfo
      const config = JSON.parse(fs.readFileSync(node.configFile, 'utf8')) as Record<string, unknown>
      const changed = { ...config, storage_path: storage, listening_port: port }
      fs.writeFileSync(copy, JSON.stringify(changed), { mode: 0o600 })
      const taken = await doctor(copy)
      assert.match(
        said(taken.of('port')),
        new RegExp(`^fail port ${port} .* in use by .*process ${process.pid}`),
      )
      assert.match(said(taken.of('daemon')), /^warn is not running/)
      assert.equal(taken.exit, 1)
    } finally {
      await new Promise((resolve) => other.close(resolve))
    }
  })

  it('a folder of configurations: each by itself, and one that others can read stops no other', async () => {
    const folder = join(world.root, 'many')
    fs.mkdirSync(folder)
    fs.copyFileSync(node.configFile, join(folder, 'good.conf'))
    fs.chmodSync(join(folder, 'good.conf'), 0o600)
    fs.copyFileSync(node.configFile, join(folder, 'open.conf'))
    fs.chmodSync(join(folder, 'open.conf'), 0o644)
    const { exit, out, err } = await world.run(['doctor', folder, '--json'])
    assert.deepEqual([exit, err], [1, ''])
    const reports = JSON.parse(out) as DoctorReport[]
    assert.match(said(reports[2]!.findings), /^fail [^;]*chmod 600[^;]*$/)
    assert.deepEqual(
      reports.map(({ config, findings }) => [
        config === null ? null : config.slice(folder.length + 1),
        findings.some(({ level }) => level === 'fail'),
      ]),
      [
        [null, false],
        ['good.conf', false],
        ['open.conf', true],
      ],
    )
  })

  it("as root, with the rights of the configuration's own user", { skip: needsUser('nobody') }, async () => {
    const { uid, gid } = account('nobody')!
    const home = join(world.root, 'theirs')
    const file = join(home, 'x.nobody.conf')
    const share = join(home, 'share')
    fs.chmodSync(world.root, 0o755)
    for (const path of [home, share, join(home, 'storage')]) fs.mkdirSync(path, { mode: 0o755 })
    fs.chmodSync(join(home, 'storage'), 0o700)
    fs.chownSync(join(home, 'storage'), uid, gid)
    const config = JSON.parse(fs.readFileSync(node.configFile, 'utf8')) as {
      shared_folders: Record<string, unknown>[]
    }
    const [folder] = config.shared_folders
    const own = { storage_path: join(home, 'storage'), shared_folders: [{ ...folder, dir: share }] }
    fs.writeFileSync(file, JSON.stringify({ ...config, listening_port: 0, ...own }), { mode: 0o600 })
    const { exit, of } = await doctor(file)
    assert.match(said(of('configuration')), /^ok would run as nobody/)
    assert.match(said(of('storage')), /^ok/)
    assert.match(said(of('folder')), /^fail .*share cannot be written/, 'root could')
    assert.equal(exit, 1)
  })

  it('a share whose folder was taken away: FAIL', async () => {
    await node.stop()
    fs.rmSync(node.at('.shoal/marker.json'))
    fs.writeFileSync(node.at('.shoal/marker.json'), '{"format":1,"shareId":"00"}\n')
    const { exit, of } = await doctor(node.configFile)
    assert.match(said(of('folder')), /^fail .*names another share/)
    assert.equal(exit, 1)
  })
})
