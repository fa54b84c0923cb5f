// The file of BitTorrent Sync's Debian package on three nodes, with only what loopback asks for changed: they find each
// other by their old secret and sync. One of them has it in parts, which every command reads by the name of the whole.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import { test } from 'node:test'
import { converged, eventually, freePort, TestNode, withWorld } from '../support/daemons.js'
import { repository } from '../support/repository.js'
import { assertEqualTrees } from '../support/trees.js'

const article = fs.readFileSync(new URL('examples/btsync/configs.www-data.www-data.conf', repository), 'utf8')

/** A node whose configuration is the article's. */
class OldNode extends TestNode {
  override writeConfig(): void {
    fs.writeFileSync(this.configFile, this.text(), { mode: 0o600 })
  }

  /** Its secret, name and all keys as they are; user, port and paths are the test's, and the network is loopback. */
  text(): string {
    const { username } = os.userInfo()
    return article
      .replace('DAEMON_UID=www-data', `DAEMON_UID=${username}`)
      .replace('// DAEMON_GID=www-data\n', '')
      .replace('12345', String(this.port))
      .replace('/var/lib/btsync/configs', this.storage)
      .replace('/srv/configs', this.dir)
      .replace('"use_upnp"', '"listen_host": "127.0.0.1", "interfaces": ["lo"], "use_upnp"')
  }
}

/** The same in parts, cut where an administrator would. */
class OldNodeInParts extends OldNode {
  override writeConfig(): void {
    const text = this.text()
    const folder = `${this.configFile}.d`
    const at = text.indexOf('"shared_folders"')
    fs.mkdirSync(folder, { recursive: true })
    fs.writeFileSync(`${folder}/10-host.part`, text.slice(0, at), { mode: 0o600 })
    fs.writeFileSync(`${folder}/20-folders.part`, text.slice(at), { mode: 0o600 })
  }
}

test('an old file with its old secret on three nodes, one in parts, syncs them', async () => {
  await withWorld({}, async (world) => {
    const nodes = [
      new OldNode(world, 'a', await freePort(), {}),
      new OldNode(world, 'b', await freePort(), {}),
      new OldNodeInParts(world, 'c', await freePort(), {}),
    ]
    world.nodes.push(...nodes)
    for (const node of nodes) {
      node.writeConfig()
      const checked = await world.run(['check', '--quiet', node.configFile])
      assert.deepEqual([checked.exit, checked.err], [0, ''], checked.out)
    }
    await Promise.all(nodes.map((node) => node.start()))
    for (const [at, node] of nodes.entries()) node.write(`from-${node.name}`, `content ${at}`)
    for (const node of nodes)
      await eventually(`${node.name} finds the others`, async () => (await node.client.peers()).length === 2)
    await converged(nodes)
    assertEqualTrees(nodes.map(({ dir }) => dir))
    const inParts = nodes[2]!
    assert.ok(!fs.existsSync(inParts.configFile), 'the joined file is never written')
    const status = await world.run(['status', inParts.configFile, '--wait', '--timeout', '30'])
    assert.equal(status.exit, 0, status.out + status.err)
    for (const node of nodes) {
      const notes = node.log
        .filter((line) => line.startsWith('note: '))
        .map((line) => /(\w+): has/.exec(line)?.[1])
      assert.deepEqual(notes, ['check_for_updates', 'use_relay_server', 'use_tracker'])
      assert.equal(await node.stop(), 0)
    }
  })
})
