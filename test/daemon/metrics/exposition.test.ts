import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Durations } from '../../../src/daemon/instruments.js'
import { expose } from '../../../src/daemon/metrics/exposition.js'
import { samplesOf } from '../../../src/daemon/metrics/samples.js'
import { fullReadings } from './readings.js'

async function linesOf(...samples: Parameters<typeof expose>[0]): Promise<string[]> {
  return (await expose(samples)).text.trimEnd().split('\n')
}

test("the text is Prometheus' format 0.0.4, each family with its help and type before its values", async () => {
  const { text, contentType } = await expose(samplesOf(fullReadings()))
  assert.equal(contentType, 'text/plain; version=0.0.4; charset=utf-8')
  assert.ok(text.endsWith('\n'))
  let family = ''
  for (const line of text.trimEnd().split('\n')) {
    if (line.startsWith('# HELP ')) family = line.split(' ')[2]!
    else if (line.startsWith('# TYPE ')) assert.equal(line.split(' ')[2], family)
    else if (line !== '')
      assert.match(line, new RegExp(`^${family}(?:_bucket|_sum|_count)?(?:\\{.*\\})? -?[0-9.e+-]+$`))
  }
})

test('gauges and counters with their labels, quoted as they must be', async () => {
  const labels = { share: 'a "b"\\c\nd' }
  assert.deepEqual(await linesOf({ family: 'shoal_share_files', labels, value: 3 }), [
    '# HELP shoal_share_files Files of the share that this disk holds, in whatever version; a blind node knows none, and has no such series',
    '# TYPE shoal_share_files gauge',
    'shoal_share_files{share="a \\"b\\"\\\\c\\nd"} 3',
  ])
  assert.deepEqual(
    (await linesOf({ family: 'shoal_wrong_pieces_total', labels: { share: '/s' }, value: 0 })).slice(1),
    ['# TYPE shoal_wrong_pieces_total counter', 'shoal_wrong_pieces_total{share="/s"} 0'],
  )
})

test('a histogram is told cumulatively, its last bucket and its count hold all', async () => {
  const value = new Durations([0.1, 1])
  for (const ms of [50, 100, 500, 3000, -5]) value.add(ms)
  const lines = await linesOf({ family: 'shoal_scan_duration_seconds', labels: { share: '/s' }, value })
  assert.deepEqual(lines.slice(1), [
    '# TYPE shoal_scan_duration_seconds histogram',
    'shoal_scan_duration_seconds_bucket{share="/s",le="0.1"} 3',
    'shoal_scan_duration_seconds_bucket{share="/s",le="1"} 4',
    'shoal_scan_duration_seconds_bucket{share="/s",le="+Inf"} 5',
    'shoal_scan_duration_seconds_sum{share="/s"} 3.65',
    'shoal_scan_duration_seconds_count{share="/s"} 5',
  ])
})

test('one scrape leaves nothing for the next', async () => {
  const first = await expose([{ family: 'shoal_members', labels: { share: '/gone' }, value: 1 }])
  assert.match(first.text, /gone/)
  const second = await expose([{ family: 'shoal_members', labels: { share: '/s' }, value: 1 }])
  assert.doesNotMatch(second.text, /gone/)
})

test('a value of no family is a bug, not a line', async () => {
  await assert.rejects(expose([{ family: 'shoal_typo', labels: {}, value: 1 }]), { code: 'INTERNAL' })
})
