// What examples/prometheus and docs/metrics.md say of the metrics is so: every name exists, with the labels that it is used
// with. Where Prometheus' promtool is installed, it reads the rules and every question of the dashboard, and runs the tests
// of the rules.
import assert from 'node:assert/strict'
import { execFile, execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expose } from '../../../src/daemon/metrics/exposition.js'
import { FAMILIES } from '../../../src/daemon/metrics/families.js'
import { withMetricTable } from '../../../src/daemon/metrics/page-table.js'
import { samplesOf } from '../../../src/daemon/metrics/samples.js'
import { repository } from '../../support/repository.js'
import { fullReadings } from './readings.js'

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
  readonly annotations: { readonly list: readonly { readonly expr: string }[] }
}

const FOLDER = new URL('examples/prometheus/', repository)
const RULE_TESTS = new URL('test/fixtures/prometheus/alerts-test.yml', repository)
/** What Prometheus puts beside the labels of a series, and what a question calls its own. */
const LABELS_OF_ALL = ['job', 'instance', 'le']
/** Metrics that Prometheus makes itself. */
const FOREIGN = ['up']

const alerts = readFileSync(new URL('alerts.yml', FOLDER), 'utf8')
const dashboard = JSON.parse(readFileSync(new URL('grafana-dashboard.json', FOLDER), 'utf8')) as Dashboard
const rules = [...alerts.matchAll(/expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)/g)].map(
  ([, block, line]) => block ?? line!,
)
const questions = [
  ...dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
  ...dashboard.annotations.list.map(({ expr }) => expr),
]
const lists = dashboard.templating.list.flatMap(({ definition }) =>
  definition === undefined ? [] : [definition],
)

/** Names of metrics in a text, and the labels that each is asked for. */
function usesIn(text: string): { name: string; labels: string[] }[] {
  return [...text.matchAll(/\b((?:shoal|process|up)(?:_[a-z0-9_]+)?)\b(?:\{([^}]*)\})?/g)]
    .filter(([, name]) => /^(?:shoal_|process_|up$)/.test(name!))
    .map(([, name, inside = '']) => ({
      name: name!,
      labels: [...inside.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(([, label]) => label!),
    }))
}

function faultsOf(text: string): string[] {
  return usesIn(text).flatMap(({ name, labels }) => {
    if (FOREIGN.includes(name)) return []
    const histogram = name.replace(/_(?:bucket|sum|count)$/, '')
    const family =
      FAMILIES[name] ?? (FAMILIES[histogram]?.type === 'histogram' ? FAMILIES[histogram] : undefined)
    if (family === undefined) return [`there is no ${name}`]
    if (FAMILIES[name]?.type === 'histogram')
      return [`${name} is a histogram: it has buckets, a sum and a count`]
    return labels
      .filter((label) => !LABELS_OF_ALL.includes(label) && !family.labels.includes(label))
      .map((label) => `${name} has no label ${label}`)
  })
}

test('the check of names sees what is wrong', () => {
  assert.deepEqual(faultsOf('sum(shoal_sharefiles{share="a"}) + shoal_share_files{shares="a", job="x"}'), [
    'there is no shoal_sharefiles',
    'shoal_share_files has no label shares',
  ])
  assert.deepEqual(faultsOf('rate(shoal_share_files_count[5m])'), ['there is no shoal_share_files_count'])
  assert.equal(faultsOf('rate(shoal_scan_duration_seconds[5m])').length, 1)
})

test('alerts.yml asks for metrics that there are', () => {
  assert.ok(rules.length >= 15, `${rules.length} rules were found`)
  assert.equal(rules.length, alerts.split('- alert: ').length - 1)
  for (const rule of rules) {
    assert.ok(usesIn(rule).length > 0, rule)
    assert.deepEqual(faultsOf(rule), [], rule)
  }
})

test('grafana-dashboard.json asks for metrics that there are', () => {
  assert.ok(questions.length >= 30, `${questions.length} questions were found`)
  for (const question of [...questions, ...lists]) {
    assert.ok(usesIn(question).length > 0, question)
    assert.deepEqual(faultsOf(question), [], question)
  }
})

test('grafana-dashboard.json: panels have numbers of their own, words, and do not lie over each other', () => {
  const { panels } = dashboard
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length)
  for (const { type, title, description, gridPos, targets = [] } of panels) {
    assert.ok(title !== '')
    if (type === 'row') continue
    assert.ok((description ?? '') !== '', `${title} is not explained`)
    assert.ok(targets.length > 0, title)
    assert.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
    assert.ok(gridPos.x + gridPos.w <= 24, title)
  }
  for (const [i, { gridPos: a, title }] of panels.entries())
    for (const { gridPos: b, title: other } of panels.slice(i + 1))
      assert.ok(
        a.x + a.w <= b.x || b.x + b.w <= a.x || a.y + a.h <= b.y || b.y + b.h <= a.y,
        `${title} lies over ${other}`,
      )
})

test('every metric is on the dashboard or in a rule, unless it is for other uses', () => {
  const used = new Set(
    [...rules, ...questions].flatMap(usesIn).map(({ name }) => name.replace(/_(?:bucket|sum|count)$/, '')),
  )
  const unused = Object.keys(FAMILIES).filter((name) => !used.has(name))
  assert.deepEqual(unused.sort(), [
    'shoal_build_info',
    'shoal_copies_counted_timestamp_seconds',
    'shoal_copies_promised',
    'shoal_damaged_repaired_total',
    'shoal_drift_restored_total',
    'shoal_event_loop_busy_seconds_total',
    'shoal_event_loop_delay_mean_seconds',
    'shoal_member_damaged',
    'shoal_member_scrub_last_timestamp_seconds',
    'shoal_peer_in_flight_bytes',
    'shoal_peer_sent_bytes_total',
    'shoal_peer_stalled',
    'shoal_share_bytes',
    'shoal_share_held_pieces',
    'shoal_share_info',
    'shoal_share_pieces',
    'shoal_share_transfers',
    'shoal_vault_bytes',
    'shoal_vault_dead_bytes',
    'shoal_vault_packs',
    'shoal_vault_piece_bytes',
  ])
})

test('docs/metrics.md has the table of metrics that there are: npm run docs writes it', () => {
  const page = readFileSync(new URL('docs/metrics.md', repository), 'utf8')
  assert.equal(page, withMetricTable(page))
})

const promtool = hasPromtool() ? false : 'promtool is not installed (Debian package prometheus)'

test('promtool reads alerts.yml, and its tests pass', { skip: promtool }, async () => {
  await run(['check', 'rules', fileURLToPath(new URL('alerts.yml', FOLDER))])
  await run(['test', 'rules', fileURLToPath(RULE_TESTS)])
})

test("promtool finds nothing to say of the metrics' names and texts", { skip: promtool }, async () => {
  const { text } = await expose(samplesOf(fullReadings()))
  const run = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  assert.deepEqual([run.status, run.stdout, run.stderr], [0, '', ''])
})

test('promtool reads prometheus.yml', { skip: promtool }, async () => {
  // The key is where it is on a real machine alone.
  await run(['check', 'config', '--syntax-only', fileURLToPath(new URL('prometheus.yml', FOLDER))])
})

test('promtool reads every question of the dashboard', { skip: promtool }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-promtool-'))
  try {
    const records = questions.map((question, i) => ({
      record: `q:${i}`,
      expr: question.replaceAll('$__rate_interval', '5m').replaceAll(/\$\w+/g, '.*'),
    }))
    // JSON is YAML.
    writeFileSync(
      join(folder, 'rules.yml'),
      JSON.stringify({ groups: [{ name: 'dashboard', rules: records }] }),
    )
    await run(['check', 'rules', join(folder, 'rules.yml')])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

function hasPromtool(): boolean {
  try {
    execFileSync('promtool', ['--version'], { stdio: 'ignore' })
    return true
  } catch {
    // The tests that need it say so.
    return false
  }
}

async function run(args: readonly string[]): Promise<void> {
  await promisify(execFile)('promtool', args).catch((thrown: { stdout: string; stderr: string }) =>
    assert.fail(`promtool ${args.join(' ')}: ${thrown.stdout}${thrown.stderr}`),
  )
}
