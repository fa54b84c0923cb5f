// What a process is after it entered an instance: user, groups, every thread, capabilities, niceness, umask, for good.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { capabilitiesFor } from '../../src/instance/capabilities.js'
import type { RunsAs } from '../../src/instance/drop.js'
import { account, needsUser, runToEnd } from '../support/privileges.js'

const ENTER = fileURLToPath(new URL('../../src/instance/enter.js', import.meta.url))

/** What the process says of itself once it has entered. */
interface Entered {
  readonly runsAs: RunsAs
  readonly home: string
  readonly umask: number
  readonly ways: readonly string[]
  readonly threads: readonly {
    readonly nice: number
    readonly ids: string
    readonly groups: string
    readonly capabilities: string
  }[]
}

/** Starts threads of the pool and a worker before, so that there is somebody to be forgotten. */
const PROGRAM = `
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { enterInstance } from ${JSON.stringify(ENTER)}
const worker = new Worker('setInterval(() => {}, 1000)', { eval: true })
await new Promise((resolve) => worker.once('online', resolve))
await Promise.all(Array.from({ length: 8 }, () => fs.promises.stat('/')))
const { runsAs } = await enterInstance(process.argv[1])
const ways = []
const attempt = (name, way) => { try { way(); ways.push(name) } catch {} }
attempt('setuid', () => process.setuid(0))
attempt('seteuid', () => process.seteuid(0))
attempt('setgroups', () => process.setgroups([0]))
attempt('shadow', () => fs.readFileSync('/etc/shadow'))
await fs.promises.readFile('/etc/shadow').then(() => ways.push('shadow by the pool'), () => {})
const threads = fs.readdirSync('/proc/self/task').map((task) => {
  const lines = fs.readFileSync('/proc/self/task/' + task + '/status', 'utf8').split('\\n')
  const field = (name) => lines.find((line) => line.startsWith(name + ':')).split(':')[1].trim().replace(/\\s+/g, ' ')
  const stat = fs.readFileSync('/proc/self/task/' + task + '/stat', 'utf8')
  return {
    nice: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]),
    ids: field('Uid') + ' ' + field('Gid'),
    groups: field('Groups'),
    capabilities: [field('CapEff'), field('CapPrm'), field('CapAmb')].join(' '),
  }
})
console.log(JSON.stringify({ runsAs, ways, threads, home: process.env.HOME, umask: process.umask() }))
process.exit(0)
`

let folder: string
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'shoal-drop-'))
  fs.chmodSync(folder, 0o755)
})
afterEach(() => fs.rmSync(folder, { recursive: true }))

async function enter(name: string, comment = ''): Promise<Entered> {
  const file = path.join(folder, name)
  fs.writeFileSync(file, `${comment}\n{"storage_path": "store"}`, { mode: 0o600 })
  const { exit, out, err } = await runToEnd(
    process.execPath,
    ['--input-type=module', '-e', PROGRAM, '--', file],
    { env: { HOME: '/root' } },
  )
  assert.deepEqual([exit, err], [0, ''])
  return JSON.parse(out) as Entered
}

const NO_CAPABILITIES = Array(3).fill('0'.repeat(16)).join(' ')

describe('enterInstance as root', () => {
  it('becomes the user in every thread, without capabilities, for good', {
    skip: needsUser('www-data'),
  }, async () => {
    const { uid, gid, home } = account('www-data')!
    const comment = '// DAEMON_NICE=7\n// DAEMON_UMASK=0027'
    const entered = await enter('a.www-data.www-data.conf', comment)
    assert.deepEqual(entered.runsAs, { user: 'www-data', group: 'www-data', uid, gid, groups: [gid] })
    assert.deepEqual(entered.ways, [])
    assert.ok(entered.threads.length > 5)
    for (const thread of entered.threads)
      assert.deepEqual(thread, {
        nice: 7,
        ids: `${uid} ${uid} ${uid} ${uid} ${gid} ${gid} ${gid} ${gid}`,
        groups: String(gid),
        capabilities: NO_CAPABILITIES,
      })
    assert.deepEqual([entered.home, entered.umask], [home, 0o027])
  })

  it('takes the group asked for, by name or tag, beside the ones of the user', {
    skip: needsUser('www-data'),
  }, async () => {
    const { uid } = account('www-data')!
    for (const [name, comment] of [
      ['a.www-data.adm.conf', ''],
      ['a.www-data.conf', '// DAEMON_GID=adm'],
      ['a.root.conf', `// DAEMON_UID=${uid}\n// DAEMON_GID=adm`],
    ] as const) {
      const { runsAs } = await enter(name, comment)
      assert.deepEqual([runsAs.user, runsAs.group, runsAs.uid], ['www-data', 'adm', uid])
      assert.deepEqual(runsAs.groups, [runsAs.gid])
    }
  })

  const [inMore, moreGroup] = userWithGroups()
  const skip = needsUser('www-data') || (inMore === undefined && 'needs a user with several groups')
  it("takes the user's supplementary groups", { skip }, async () => {
    const { runsAs, threads } = await enter('a.conf', `// DAEMON_UID=${inMore}`)
    assert.equal(runsAs.user, inMore)
    assert.ok(runsAs.groups.includes(moreGroup!), String(runsAs.groups))
    assert.ok(!runsAs.groups.includes(0))
    for (const { groups } of threads)
      assert.deepEqual(groups.split(' ').map(Number).sort(), [...runsAs.groups].sort())
  })

  it('stays root where that is what the name says', { skip: needsUser('www-data') }, async () => {
    for (const name of ['a.conf', 'a.root.conf', 'a.root.root.conf'])
      assert.deepEqual((await enter(name)).runsAs.uid, 0)
  })
})

it('no capability is kept: owners are not set yet', () => assert.deepEqual(capabilitiesFor({}), []))

/** A user who is a member of a group beside its own, and that group's number. */
function userWithGroups(): [string?, number?] {
  const { stdout } = spawnSync('getent', ['group'], { encoding: 'utf8' })
  for (const line of (stdout ?? '').split('\n')) {
    const [, , gid, members = ''] = line.split(':')
    const [member] = members.split(',')
    if (member !== undefined && member !== '' && member !== 'root') return [member, Number(gid)]
  }
  return []
}
