// A daemon started by root for www-data: the process, its sockets and every file it makes are www-data's, and the modes
// that a share carries arrive whatever the umask (docs/credentials.md).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { converged, withWorld } from '../support/daemons.js'
import { account, needsUser } from '../support/privileges.js'
import { assertEqualTrees } from '../support/trees.js'

const USER = 'www-data'

test('what root starts for www-data is www-data’s', { skip: needsUser(USER) }, async () => {
  const { uid, gid } = account(USER)!
  await withWorld({}, async (world) => {
    fs.chmodSync(world.root, 0o755)
    const anna = await world.node('anna')
    const www = await world.node('www', {
      configName: `www.${USER}.${USER}.conf`,
      comments: ['// DAEMON_UMASK=0077', '// DAEMON_NICE=3', '// DAEMON_BIND=127.0.0.1'],
      config: { listen_host: undefined },
    })
    fs.chownSync(www.dir, uid, gid)
    fs.chmodSync(www.dir, 0o755)
    fs.chmodSync(anna.dir, 0o755)
    fs.mkdirSync(anna.at('site'), { mode: 0o755 })
    fs.chmodSync(anna.at('site'), 0o2775)
    for (const mode of [0o644, 0o640, 0o755, 0o666, 0o600]) {
      anna.write(`site/${mode.toString(8)}`, `mode ${mode}`)
      fs.chmodSync(anna.at(`site/${mode.toString(8)}`), mode)
    }
    await Promise.all([anna.start(), www.start()])
    await converged([anna, www])
    anna.write('site/644', 'changed')
    anna.remove('site/600')
    await converged([anna, www])
    assertEqualTrees([anna.dir, www.dir])

    const status = fs.readFileSync(`/proc/${www.pid}/status`, 'utf8')
    assert.match(status, new RegExp(`^Uid:${`\\t${uid}`.repeat(4)}$`, 'm'))
    assert.match(status, new RegExp(`^Gid:${`\\t${gid}`.repeat(4)}$`, 'm'))
    assert.match(status, new RegExp(`^Groups:\\t${gid} *$`, 'm'))
    for (const set of ['CapEff', 'CapPrm', 'CapAmb']) assert.match(status, new RegExp(`^${set}:\\t0+$`, 'm'))
    assert.match(await www.logged(/"msg":"running"/), /"user":"www-data","group":"www-data"/)

    // Every file: the storage with its control socket, and the share with what Shoal keeps in it.
    for (const top of [www.storage, www.dir])
      for (const name of ['.', ...fs.readdirSync(top, { recursive: true, encoding: 'utf8' })]) {
        const stat = fs.lstatSync(path.join(top, name))
        assert.deepEqual([name, stat.uid, stat.gid], [name, uid, gid])
      }
    assert.ok(fs.lstatSync(path.join(www.storage, 'shoal.sock')).isSocket())
    assert.equal(fs.lstatSync(www.storage).mode & 0o7777, 0o700)

    // Every socket of this process that the kernel lists.
    const sockets = socketsOf(www.pid)
    const listed = ['tcp', 'tcp6', 'udp', 'udp6'].flatMap((table) => rowsOf(table))
    const ours = listed.filter(({ inode }) => sockets.has(inode))
    assert.ok(
      ours.some(({ port }) => port === www.port),
      'the listening socket is listed',
    )
    for (const { uid: owner } of ours) assert.equal(owner, uid)
    // DAEMON_BIND
    for (const { port, address } of ours) if (port === www.port) assert.equal(address, '0100007F')
  })
})

/** Inodes of a process's sockets. */
function socketsOf(pid: number): Set<string> {
  const inodes = fs.readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    // A file that was closed in between.
    const target = fs.lstatSync(`/proc/${pid}/fd/${fd}`, { throwIfNoEntry: false })
    if (target === undefined) return []
    return /^socket:\[(\d+)\]$/.exec(fs.readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
  })
  return new Set(inodes)
}

interface SocketRow {
  readonly address: string
  readonly port: number
  readonly uid: number
  readonly inode: string
}

/** Of /proc/net/TABLE, addresses in the kernel's hexadecimal. */
function rowsOf(table: string): SocketRow[] {
  const [, ...lines] = fs.readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n')
  return lines.map((line) => {
    const fields = line.trim().split(/\s+/)
    const [address, port] = fields[1]!.split(':')
    return { address: address!, port: parseInt(port!, 16), uid: Number(fields[7]), inode: fields[9]! }
  })
}
