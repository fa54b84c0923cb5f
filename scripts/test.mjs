// Runs the compiled tests under dist/test with node's own runner, the same way on Node 20, 22 and 24 (their command
// lines disagree on how a folder is named). Arguments are substrings of test file names; none means all.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { fileURLToPath } from 'node:url'

/** Those that take longest go first, longest before, lest the run ends with one of them on a machine that is idle else. */
const LONGEST = [
  ...[
    'e2e/release-crash',
    'e2e/crash',
    'e2e/bulk',
    'e2e/epoch',
    'e2e/conflicts',
    'e2e/halt',
    'e2e/supervisor',
    'e2e/mesh',
  ],
  'e2e/drift',
  ...['e2e/hook-batches', 'e2e/keys', 'preview/preview', 'e2e/attack', 'e2e/readers', 'e2e/durability'],
  ...['packaging/pack', 'demo'],
  ...['cli/credentials', 'e2e/joining', 'e2e/convergence', 'e2e/names', 'folder/commit-slip', 'e2e/'],
]

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

function rankOf(file) {
  const at = LONGEST.findIndex((part) => file.includes(part))
  return at < 0 ? LONGEST.length : at
}

let passed = 0
let failed = 0
let skipped = 0
let todo = 0
const events = run({ files, concurrency: 2, timeout: 280_000 })
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
