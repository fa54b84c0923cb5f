// What do owners and ACLs cost? How long does a second machine take to get a tree whose files belong to several users, with
// an ACL on every tenth of them, beside rsync -aHAX and cp -a of the same tree in the same run, and beside the same tree
// without its owners and ACLs?
//   npm run bench -- metadata [FILES] [MEAN_BYTES] [SEED]      default 100000 14500 2
// As root, or owners cannot be set. Two daemons on this machine over known_hosts on loopback, in $BENCH_DIR, or /dev/shm
// where there is one. The trees are compared at the end, owners, modes and ACLs too; a difference fails the run.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setAttrSync } from 'fs-native-extensions'
import { ACL_ACCESS, ACL_DEFAULT } from '../src/core/raw-attributes.js'
import { supportedScope } from '../src/folder/attributes.js'
import { compareTrees, timeCommand } from './support/commands.js'
import { type Cost, pair } from './support/node.js'
import { table } from './support/report.js'
import { makeTree, randomOf } from './support/tree.js'

const DEADLINE_MS = 30 * 60_000
const USERS = 5
const ACL_SHARE = 0.1
const CARRIED = { owners: 'name', acls: true }
const NOT_CARRIED = { owners: 'ignore', acls: false }

const [filesText = '100000', meanText = '14500', seedText = '2'] = process.argv.slice(2)
const place = process.env.BENCH_DIR ?? (fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir())
const reason = obstacle()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const base = fs.mkdtempSync(path.join(place, 'shoal-bench-'))
try {
  console.log(`node ${process.version}, ${os.cpus().length} x ${os.cpus()[0]?.model}, in ${place}`)
  await measure(Number(filesText), Number(meanText), Number(seedText))
} finally {
  fs.rmSync(base, { recursive: true, force: true })
}

function obstacle(): string | undefined {
  if (process.geteuid?.() !== 0) return 'owners can be set by root alone'
  return supportedScope(place, { acls: true, xattrs: [] }).acls ? undefined : `no ACLs in ${place}`
}

async function measure(files: number, meanBytes: number, seed: number): Promise<void> {
  const source = path.join(base, 'a')
  const facts = makeTree(source, files, meanBytes, seed)
  const withAcl = dressTree(source, seed)
  console.log(
    `\n${facts.files} files, ${facts.folders} folders, ${(facts.bytes / 2 ** 20).toFixed(0)} MiB, of ${USERS} users, ${withAcl} with an ACL`,
  )
  const copies = [
    ['cp -a', timeCommand(['cp', '-a', source, path.join(base, 'cp')])],
    ['rsync -aHAX', timeCommand(['rsync', '-aHAX', `${source}/`, path.join(base, 'rsync')])],
  ] as const
  for (const copy of ['cp', 'rsync']) fs.rmSync(path.join(base, copy), { recursive: true, force: true })
  const plain = await sync(source, files, 'plain', NOT_CARRIED)
  const dressed = await sync(source, files, 'dressed', CARRIED)
  table([
    ['what', 'seconds', 'second daemon, with owners and ACLs, takes'],
    ...copies.map(([what, took]) => [what, secondsOf(took), ratio(dressed.syncSeconds, took)]),
    ['first scan, without owners and ACLs', secondsOf(plain.scanSeconds), ''],
    ['first scan, with them', secondsOf(dressed.scanSeconds), ''],
    [
      'second daemon, without them',
      secondsOf(plain.syncSeconds),
      ratio(dressed.syncSeconds, plain.syncSeconds),
    ],
    ['second daemon, with them', secondsOf(dressed.syncSeconds), ''],
  ])
  table([
    ['cost', 'CPU s', 'peak RSS MiB'],
    ...[...plain.costs, ...dressed.costs].map(([what, cost]) => [
      what,
      cost.cpuSeconds.toFixed(1),
      cost.peakRssMiB.toFixed(0),
    ]),
  ])
}

interface Run {
  readonly scanSeconds: number
  /** From the start of the second daemon until it holds all. */
  readonly syncSeconds: number
  readonly costs: readonly (readonly [string, Cost])[]
}

async function sync(
  source: string,
  files: number,
  name: string,
  share: Readonly<Record<string, unknown>>,
): Promise<Run> {
  const folder = path.join(base, name)
  const target = path.join(folder, 'b')
  fs.mkdirSync(folder)
  const [a, b] = await pair(folder, source, target, share)
  const scanStart = performance.now()
  a.start()
  try {
    await a.until((report) => report.state === 'idle' && report.files === files, DEADLINE_MS)
    const scanSeconds = (performance.now() - scanStart) / 1000
    const start = performance.now()
    b.start()
    const digest = (await a.share())!.digest
    await b.until((report) => report.digest === digest && report.needFiles === 0, DEADLINE_MS)
    const syncSeconds = (performance.now() - start) / 1000
    compareTrees(source, target)
    if (share === CARRIED) compareMetadata(source, target)
    const costs = [
      [`${name}, first daemon`, a.cost()],
      [`${name}, second daemon`, b.cost()],
    ] as const
    return { scanSeconds, syncSeconds, costs }
  } finally {
    await Promise.all([a.stop(), b.stop()])
    for (const left of [folder, path.join(source, '.shoal')])
      fs.rmSync(left, { recursive: true, force: true })
  }
}

/** Gives everything in a tree to one of a few accounts of this machine, and a tenth an ACL; returns how many have one. */
function dressTree(directory: string, seed: number): number {
  const random = randomOf(seed)
  const accounts = accountNumbers()
  let withAcl = 0
  const dress = (place: string, isDirectory: boolean): void => {
    const { uid, gid } = accounts[Math.floor(random() * accounts.length)]!
    const stat = fs.statSync(place)
    fs.chownSync(place, uid, gid)
    if (random() < ACL_SHARE) {
      withAcl++
      const other = accounts[Math.floor(random() * accounts.length)]!
      const fd = fs.openSync(place, 'r')
      setAttrSync(fd, ACL_ACCESS, aclOf(stat.mode, other.uid))
      if (isDirectory) setAttrSync(fd, ACL_DEFAULT, aclOf(stat.mode, other.uid))
      fs.closeSync(fd)
    }
    fs.utimesSync(place, stat.mtime, stat.mtime)
  }
  for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true }))
    dress(path.join(entry.parentPath, entry.name), entry.isDirectory())
  return withAcl
}

/** The first accounts of /etc/passwd, so that their names are known. */
function accountNumbers(): { uid: number; gid: number }[] {
  const lines = fs.readFileSync('/etc/passwd', 'utf8').split('\n').slice(0, USERS)
  return lines.map((line) => {
    const [, , uid, gid] = line.split(':')
    return { uid: Number(uid), gid: Number(gid) }
  })
}

/** An ACL (acl(5)) that also lets one more user read. */
function aclOf(mode: number, uid: number): Buffer {
  const entries = [
    [0x01, (mode >> 6) & 7, -1],
    [0x02, 4, uid],
    [0x04, (mode >> 3) & 7, -1],
    [0x10, ((mode >> 3) & 7) | 4, -1],
    [0x20, mode & 7, -1],
  ] as const
  const bytes = Buffer.alloc(4 + 8 * entries.length)
  bytes.writeUInt32LE(2, 0)
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + 8 * index)
    bytes.writeUInt16LE(permissions, 6 + 8 * index)
    bytes.writeInt32LE(id, 8 + 8 * index)
  }
  return bytes
}

function compareMetadata(a: string, b: string): void {
  const looks: readonly (readonly string[])[] = [
    ['find', '.', '-path', './.shoal', '-prune', '-o', '-printf', '%P %m %U %G\\n'],
    ['sh', '-c', 'find . -path ./.shoal -prune -o -print0 | sort -z | xargs -0 getfacl -n -p'],
  ]
  for (const [command, ...args] of looks) {
    const [one, other] = [a, b].map((cwd) => {
      const { stdout, status } = spawnSync(command!, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 30 })
      return status === 0 ? stdout.split('\n').sort().join('\n') : undefined
    })
    if (one === undefined) console.log(`${args.at(-1)} cannot be run here: not compared`)
    else if (one !== other) throw new Error(`the trees differ in their metadata, see ${command}`)
  }
}

function secondsOf(value: number | undefined): string {
  return value === undefined ? '-' : value.toFixed(2)
}

function ratio(takes: number, other: number | undefined): string {
  return other === undefined ? 'not there' : `${(takes / other).toFixed(2)}x`
}
