// npm run demo: three daemons on this machine keep a real tree the same, found through a private DHT of three nodes.
//   1. a tree of tens of thousands of files is copied into one writer's folder while everything runs;
//   2. both writers edit, delete, rename and create at the same time;
//   3. one writer is killed, both edit the same file, it comes back: both versions are kept, everywhere;
//   4. the reader's own changes are undone.
// After each step it waits until all say they are in sync, and then compares the three trees itself, by content. Ends
// with a table and exit code 0, or with the differences and exit code 1. Leaves nothing behind.
//
//   --files N    at least that many files (default 20000)
//   --dir DIR    the tree that is copied in (default: this project's node_modules)
//   --dist DIR   the build that runs (default: dist)
//   --keep       leaves the scratch folder

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import {
  appendFile,
  chmod,
  mkdir,
  mkdtemp,
  readFile,
  rename,
  rm,
  statfs,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Processes } from './demo-processes.mjs'
import {
  differences,
  fileOf,
  forEach,
  listTree,
  makeTree,
  parentOf,
  pictureOf,
  planTree,
  within,
} from './demo-tree.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))
const { values: options } = parseArgs({
  options: {
    files: { type: 'string', default: '20000' },
    dir: { type: 'string', default: join(repository, 'node_modules') },
    dist: { type: 'string', default: join(repository, 'dist') },
    keep: { type: 'boolean', default: false },
  },
})
const MEMBERS = ['alice', 'bob', 'carol']
const WRITERS = ['alice', 'bob']
/** Bigger files are in the first copy of the source only: the demo is about many files. */
const BIG_BYTES = 64 << 10
const EDITS = 60
const SYNC_SECONDS = 600
const PROGRESS_MS = 2000
const DIFFERENCES_SHOWN = 20

const started = performance.now()
const rows = []
/** Bytes of content that each member had received when it was last asked. */
const seen = MEMBERS.map(() => 0)
let scratch
let processes
let clients

class Different extends Error {}

function say(text) {
  console.log(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${text}`)
}

function amount(bytes) {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

const number = (value) => value.toLocaleString('en-US')
const folderOf = (member) => join(scratch, member)
const configOf = (member) => join(scratch, `${member}.conf`)
const at = (member, path) => join(folderOf(member), path)

async function main() {
  const { controlClient } = await import(pathToFileURL(resolve(options.dist, 'src/index.js')).href).catch(
    (cause) => {
      throw new Error('shoal is not built: run npm ci first', { cause })
    },
  )
  scratch = await mkdtemp(join(tmpdir(), 'shoal-demo-'))
  processes = new Processes(resolve(options.dist, 'program/cli/main.js'), scratch)
  clients = new Map(MEMBERS.map((member) => [member, controlClient(join(scratch, `${member}-storage`))]))
  const plan = await planTree(resolve(options.dir), { wanted: Number(options.files), bigBytes: BIG_BYTES })
  await needRoom(plan)

  await step('start', 'a DHT of three nodes, three daemons find each other', start)
  let expected
  await step('copy', 'a tree is copied into the folder of alice', async () => {
    expected = await makeTree(folderOf('alice'), plan)
    say(`copied ${number(expected.size)} paths, files on each so far:`)
    return expected.size
  })
  await verify(expected)
  await step('edits', 'alice and bob edit, delete, rename and create', () => edit(expected))
  await verify(expected)
  await step('conflict', 'bob is killed, both edit one file, bob comes back', () => conflict(expected))
  await verify(expected)
  await step('reader', 'carol, who may only read, changes files: undone', spoil)
  await verify(expected)
  await processes.stopAll()
}

/** Does one step, waits until everybody has what came of it, and notes how long all of that took. */
async function step(name, what, work) {
  say(`${what}`)
  const before = performance.now()
  const changed = await work()
  if (name !== 'start') await inSync()
  const seconds = (performance.now() - before) / 1000
  rows.push({ what, changed: changed ?? '', bytes: await received(), seconds })
}

// Steps ---------------------------------------------------------------------------------------------------------------

async function start() {
  const ports = await freePorts(3)
  const nodes = ports.map((port) => `127.0.0.1:${port}`)
  nodes.forEach((node, i) => {
    const others = nodes.filter((other) => other !== node)
    processes.start(`dht-${i + 1}`, ['dht', '--listen', node, '--bootstrap', ...others])
  })
  const secrets = JSON.parse(await processes.run(['secret', 'new', '--json']))
  for (const grade of ['write', 'read'])
    await writeFile(join(scratch, `${grade}.secret`), `${secrets[grade]}\n`, { mode: 0o600 })
  for (const member of MEMBERS) {
    await writeFile(configOf(member), configText(member, nodes), { mode: 0o600 })
    processes.start(member, ['run', configOf(member)])
  }
  await until('the three daemons to meet', async () => {
    const reports = await statuses()
    return reports.every(
      (report) => report?.shares[0].members.filter(({ connected }) => connected).length === 2,
    )
  })
}

function configText(member, bootstrap) {
  const isWriter = WRITERS.includes(member)
  const config = {
    device_name: member,
    listen_host: '127.0.0.1',
    storage_path: `${member}-storage`,
    bootstrap,
    shared_folders: [
      {
        secret: { file: isWriter ? 'write.secret' : 'read.secret' },
        dir: member,
        use_dht: true,
        search_lan: false,
        ...(!isWriter && { overwrite_changes: true }),
      },
    ],
  }
  return `// Written by npm run demo: ${member}, ${isWriter ? 'a writer' : 'a reader'}.\n${JSON.stringify(config, null, 2)}\n`
}

/** Both writers at once, each on paths of its own. Returns how many paths were touched. */
async function edit(expected) {
  const [doomed, moving] = foldersFor(expected)
  const gone = doomed === undefined ? [] : within(expected, doomed)
  const moved = moving === undefined ? [] : within(expected, moving)
  const away = new Set([...gone, ...moved])
  const files = [...expected]
    .filter(([path, { is }]) => is.startsWith('file') && !away.has(path))
    .slice(0, 2 * EDITS)
    .map(([path]) => path)
  await Promise.all(
    WRITERS.map((writer, w) =>
      forEach(
        files.filter((_, i) => i % 2 === w),
        async (path) => {
          await appendFile(at(writer, path), `edited by ${writer}\n`)
          expected.set(path, { is: fileOf(await readFile(at(writer, path))) })
        },
      ),
    ),
  )
  if (doomed !== undefined) await rm(at('alice', doomed), { recursive: true })
  if (moving !== undefined) await rename(at('bob', moving), at('bob', 'moved-by-bob'))
  for (const path of moved) expected.set(`moved-by-bob${path.slice(moving.length)}`, expected.get(path))
  for (const path of away) expected.delete(path)
  await Promise.all(WRITERS.map((writer) => create(expected, writer)))
  const chmodded = files.at(-1)
  await chmod(at('bob', chmodded), 0o755)
  return files.length + away.size + moved.length + 2 * (EDITS + 3)
}

/** New files, an empty folder and a link. */
async function create(expected, writer) {
  const folder = `new from ${writer}`
  await mkdir(at(writer, `${folder}/empty`), { recursive: true })
  expected.set(folder, { is: 'directory' })
  expected.set(`${folder}/empty`, { is: 'directory' })
  await symlink('../links', at(writer, `${folder}/link`))
  expected.set(`${folder}/link`, { is: 'link to ../links' })
  await forEach(Array.from({ length: EDITS }).keys(), async (i) => {
    const content = `${writer} wrote file ${i}\n`.repeat(i * i)
    await writeFile(at(writer, `${folder}/${i}.txt`), content)
    expected.set(`${folder}/${i}.txt`, { is: fileOf(content) })
  })
}

/** Folders of packages: one to delete and one to rename, both with something in them. */
function foldersFor(expected) {
  const folders = new Map()
  for (const [path, { is }] of expected)
    if (is.startsWith('file') && path.split('/').length > 2)
      folders.set(path.split('/').slice(0, 2).join('/'), true)
  const list = [...folders.keys()]
  return list.length < 3 ? [] : list.slice(-2)
}

/** V5: the newer edit keeps the name, the other one becomes a conflict copy, on all three. */
async function conflict(expected) {
  const path = 'both.txt'
  await writeFile(at('alice', path), 'a line that both will change\n')
  await inSync()
  await processes.stop('bob', 'SIGKILL')
  say('bob was killed')
  const now = Date.now() / 1000
  await writeFile(at('alice', path), 'alice changed it\n')
  await utimes(at('alice', path), now - 60, now - 60)
  await writeFile(at('bob', path), 'bob changed it\n')
  await utimes(at('bob', path), now - 30, now - 30)
  processes.start('bob', ['run', configOf('bob')])
  await until('bob to be back', async () => {
    const [, bob] = await statuses()
    return bob?.shares[0].members.every(({ connected }) => connected) === true
  })
  await inSync()
  const copies = (await listTree(folderOf('carol'))).filter(({ path: found }) =>
    /^both\.conflict-/.test(found),
  )
  expected.set(path, { is: fileOf('bob changed it\n') })
  // One that is missing is found when the trees are compared.
  const copy = copies[0]?.path ?? 'both.conflict-DATE-TIME-alice.txt'
  expected.set(copy, { is: fileOf('alice changed it\n') })
  say(`the losing version is kept as ${copy}`)
  return 2
}

/** Changes on the reader's disk, which is to be as the share says (overwrite_changes). */
async function spoil() {
  const files = (await listTree(folderOf('carol'))).filter(({ stat }) => stat.isFile())
  await appendFile(at('carol', files[0].path), 'carol was here\n')
  await rm(at('carol', files[1].path))
  await writeFile(at('carol', 'carols own.txt'), 'not to be shared\n')
  return 3
}

// Waiting and checking ------------------------------------------------------------------------------------------------

/** Asks every daemon, as a script would: shoal status CONFIG --wait. */
async function inSync() {
  const progress = setInterval(() => void showProgress(), PROGRESS_MS)
  try {
    for (const member of MEMBERS)
      await processes.run(['status', configOf(member), '--wait', '--timeout', String(SYNC_SECONDS)])
  } finally {
    clearInterval(progress)
  }
}

async function showProgress() {
  const parts = (await statuses()).map((report, i) => {
    if (report === undefined) return `${MEMBERS[i]} is silent`
    const share = report.shares[0]
    if (share === undefined) return `${MEMBERS[i]} starts over`
    const { files, needFiles } = share
    return `${MEMBERS[i]} ${number(files)}${needFiles > 0 ? ` (${number(needFiles)} left)` : ''}`
  })
  // No longer than a terminal of 80 columns is wide.
  say(parts.join(', '))
}

/** What each daemon says now; undefined where none answers. */
function statuses() {
  return Promise.all([...clients.values()].map((client) => client.status().catch(() => undefined)))
}

/** Content received by all since the last call; a daemon that was killed has counted from zero again. */
async function received() {
  const reports = await statuses()
  let bytes = 0
  for (const [i, report] of reports.entries()) {
    const now = report?.shares[0].receivedBytes ?? 0
    bytes += now >= seen[i] ? now - seen[i] : now
    seen[i] = now
  }
  return bytes
}

async function until(what, isSo) {
  const deadline = performance.now() + 60_000
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited a minute for ${what}`)
    await Promise.race([new Promise((go) => setTimeout(go, 100)), processes.failed])
  }
}

/** Compares all three trees with what is expected, and permissions and times with each other. */
async function verify(expected) {
  const pictures = await Promise.all(MEMBERS.map((member) => pictureOf(folderOf(member))))
  const lines = MEMBERS.flatMap((member, i) => [
    ...differences(expected, pictures[i], ({ is }) => is).map((line) => `${member}: ${line}`),
    ...(i === 0 ? [] : differences(pictures[0], pictures[i], ({ how }) => how)).map(
      (line) => `${member}, compared with ${MEMBERS[0]}: ${line}`,
    ),
  ])
  if (lines.length > 0) {
    const more = lines.length - DIFFERENCES_SHOWN
    const shown = lines.slice(0, DIFFERENCES_SHOWN).join('\n')
    throw new Different(`the trees are not the same:\n${shown}${more > 0 ? `\nand ${more} more` : ''}`)
  }
  say(`compared by content: ${number(expected.size)} paths are the same on all three`)
}

async function needRoom(plan) {
  const bytes = plan.reduce((sum, { stat }) => sum + (stat?.isFile() === true ? stat.size + 4096 : 0), 0)
  const { bavail, bsize } = await statfs(scratch)
  const needed = bytes * 4 + (1 << 28)
  if (bavail * bsize < needed)
    throw new Error(
      `the demo needs ${amount(needed)} in ${parentOf(scratch)}, there are ${amount(bavail * bsize)}`,
    )
}

async function freePorts(count) {
  const sockets = Array.from({ length: count }, () => createSocket('udp4'))
  const ports = []
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    ports.push(socket.address().port)
  }
  for (const socket of sockets) {
    socket.close()
    await once(socket, 'close')
  }
  return ports
}

function printTable() {
  const table = [
    ['what', 'paths', 'received', 'seconds'],
    ...rows.map(({ what, changed, bytes, seconds }) => [
      what,
      number(changed),
      amount(bytes),
      seconds.toFixed(1),
    ]),
  ]
  const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)))
  console.log('')
  for (const row of table)
    console.log(
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '),
    )
}

let isStopped = false
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    isStopped = true
    console.error(`stopped by ${signal}`)
    void cleanUp().finally(() => process.exit(130))
  })

async function cleanUp() {
  await processes?.stopAll().catch((error) => console.error(error.message))
  if (scratch !== undefined && !options.keep)
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 })
}

try {
  await main()
  printTable()
  console.log(`\nall three trees are the same (${((performance.now() - started) / 1000).toFixed(0)} s)`)
} catch (error) {
  process.exitCode = 1
  // What fails once everything is being stopped fails because of that.
  if (!isStopped) {
    console.error(error instanceof Different ? error.message : (error.stack ?? error))
    if (processes !== undefined) console.error(processes.logs(MEMBERS))
  }
} finally {
  await cleanUp()
}
