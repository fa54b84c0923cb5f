// The metrics in Prometheus' text format, by prom-client. Its registry is made anew for every scrape from what the daemon
// counts anyway: nothing is counted twice, nothing is global, and what has gone leaves no series behind.
import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import { invariant } from '../../core/error.js'
import type { Durations } from '../instruments.js'
import { FAMILIES, type Family } from './families.js'
import type { Labels, Sample } from './samples.js'

export interface Exposition {
  readonly text: string
  readonly contentType: string
}

/** In the order of the table; families without a value now are left out. */
export async function expose(samples: readonly Sample[]): Promise<Exposition> {
  const registry = new Registry()
  for (const { family } of samples) invariant(FAMILIES[family] !== undefined, `${family} is in the table`)
  for (const [name, family] of Object.entries(FAMILIES)) {
    const own = samples.filter((sample) => sample.family === name)
    if (own.length > 0) register(registry, name, family, own)
  }
  return { text: await registry.metrics(), contentType: registry.contentType }
}

function register(registry: Registry, name: string, family: Family, samples: readonly Sample[]): void {
  const { type, help, labels: labelNames } = family
  const options = { name, help, labelNames: [...labelNames], registers: [registry] }
  if (type === 'gauge') {
    const gauge = new Gauge(options)
    for (const { labels, value } of samples) gauge.set(labels, value as number)
  } else if (type === 'counter') {
    const counter = new Counter(options)
    for (const { labels, value } of samples) counter.inc(labels, value as number)
  } else {
    // prom-client's own Histogram takes single observations; these were counted before anybody asked. A registry asks a
    // metric for its name and get() alone.
    const values = samples.flatMap(({ labels, value }) => histogramValues(name, labels, value as Durations))
    const histogram = { name, get: async () => ({ name, help, type, values, aggregator: 'sum' }) }
    registry.registerMetric(histogram as unknown as Metric<string>)
  }
}

interface HistogramValue {
  readonly metricName: string
  readonly labels: Labels
  readonly value: number
}

/** Buckets are told cumulatively, the last one holds all. */
function histogramValues(
  name: string,
  labels: Labels,
  { boundsS, counts, sumS, count }: Durations,
): HistogramValue[] {
  let within = 0
  return [
    ...boundsS.map((bound, i) => {
      within += counts[i]!
      return { metricName: `${name}_bucket`, labels: { ...labels, le: String(bound) }, value: within }
    }),
    { metricName: `${name}_bucket`, labels: { ...labels, le: '+Inf' }, value: count },
    { metricName: `${name}_sum`, labels, value: sumS },
    { metricName: `${name}_count`, labels, value: count },
  ]
}
