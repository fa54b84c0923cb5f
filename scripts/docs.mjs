// Writes what of the documentation is made from the schema of the configuration file: the tables in
// docs/configuration.md and docs/shoal.schema.json; and the table of metrics in docs/metrics.md. Build first; `npm run docs` does both.
import { readFileSync, writeFileSync } from 'node:fs'
import { configJsonSchema, withKeyTables } from '../dist/src/config/describe.js'
import { withMetricTable } from '../dist/src/daemon/metrics/page-table.js'

const page = new URL('../docs/configuration.md', import.meta.url)
writeFileSync(page, withKeyTables(readFileSync(page, 'utf8')))
const schema = new URL('../docs/shoal.schema.json', import.meta.url)
writeFileSync(schema, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
const metrics = new URL('../docs/metrics.md', import.meta.url)
writeFileSync(metrics, withMetricTable(readFileSync(metrics, 'utf8')))
