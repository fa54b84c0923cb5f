// Runs the compiled tests under dist/test with node's own runner, the same way on Node 20, 22 and 24 (their command
// lines disagree on how a folder is named). Arguments are substrings of test file names; none means all.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

/** Those that take longest go first, longest before, lest the run ends with one of them on a machine that is idle else. */
const LONGEST = [
  ...[
    'e2e/hard-links',
    'e2e/epoch',
    'e2e/release-crash',
    'e2e/halt',
    'restore/lost-records',
    'packaging/pack',
  ],
  ...['e2e/conflicts', 'e2e/bulk', 'e2e/crash', 'e2e/supervisor', 'e2e/mesh', 'e2e/drift', 'preview/preview'],
  ...['cli/credentials', 'e2e/hook', 'e2e/keys', 'demo', 'e2e/attack', 'restore/restore', 'e2e/readers'],
  ...[
    'e2e/durability',
    'daemon/step-aside',
    'e2e/blind-away',
    'sim/plants',
    'restore/histories',
    'blind/leaf-keeper',
  ],
  ...['e2e/joining', 'e2e/convergence', 'e2e/names', 'sim/histories', 'folder/commit-slip', 'e2e/'],
]

// No test asks other people's machines, whatever it has written into a configuration.
process.env.SHOAL_PUBLIC_DHT = 'off'

const root = fileURLToPath(new URL('../dist/test', import.meta.url))
const wanted = process.argv.slice(2)
const files = readdirSync(root, { recursive: true })
  .map((name) => join(root, String(name)))
  .filter(
    (name) =>
      name.endsWith('.test.js') && (wanted.length === 0 || wanted.some((part) => name.includes(part))),
  )
  .sort((a, b) => rankOf(a) - rankOf(b) || (a < b ? -1 : 1))
if (files.length === 0) {
  console.error(`no test file under dist/test matches ${wanted.join(' ')}`)
  process.exit(1)
}

/** Folders whose quick tests share a process each: to start one and load everything costs more than most of them take. */
const GROUPED = ['core', 'config', 'store', 'exchange', 'control', 'swarm', 'invite', 'hooks', 'instance']
GROUPED.push('supervisor', 'feed', 'daemon/share', 'daemon/control', 'cli', 'dashboard')
GROUPED.push('daemon/health', 'daemon/metrics', 'vault')
/** What is about a whole process, or lasts beyond a test: such a file keeps a process of its own. */
const OWN_PROCESS =
  /^(before|after|beforeEach|afterEach)\(|child_process|worker_threads|\bmock\.|\bprocess\.(?!hrtime|memoryUsage)/m

/** The files to run, those that can share a process replaced by one that imports them. */
function grouped(all) {
  const folder = join(root, '.groups')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  const groups = new Map(GROUPED.map((name) => [name, []]))
  const alone = all.filter((file) => {
    const group = groups.get(relative(root, dirname(file)))
    if (group === undefined || OWN_PROCESS.test(readFileSync(file, 'utf8'))) return true
    group.push(file)
    return false
  })
  const made = [...groups]
    .filter(([, members]) => members.length > 0)
    .map(([name, members]) => {
      const file = join(folder, `${name.replaceAll('/', '-')}.mjs`)
      writeFileSync(file, members.map((member) => `import ${JSON.stringify(member)}\n`).join(''))
      return file
    })
  // The groups come before what is short on its own.
  const at = alone.findIndex((file) => rankOf(file) === LONGEST.length)
  return at < 0 ? [...alone, ...made] : [...alone.slice(0, at), ...made, ...alone.slice(at)]
}

function rankOf(file) {
  const at = LONGEST.findIndex((part) => file.includes(part))
  return at < 0 ? LONGEST.length : at
}

let passed = 0
let failed = 0
let skipped = 0
let todo = 0
// Three at a time on two processors: much of what is waited for is a disk, a timer or a process that starts.
const events = run({ files: grouped(files), concurrency: 3, timeout: 280_000 })
events.on('test:pass', ({ skip, details }) => {
  if (details.type === 'suite') return
  if (skip !== undefined) skipped++
  else passed++
})
// What is marked as still to be done says so in the report and fails nothing.
events.on('test:fail', (event) => {
  if (event.todo === undefined || event.todo === false) failed++
  else todo++
})
const report = events.compose(spec)
report.pipe(process.stdout, { end: false })
await finished(report)
if (todo > 0) console.log(`${todo} known to fail, marked as to do`)
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exit(failed === 0 && passed > 0 ? 0 : 1)
