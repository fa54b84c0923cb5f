// What docs/cli.md shows of JSON is what the control API's schemas say: no key too many, none missing.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'jsonc-parser'
import { z } from 'zod'
import { peerReports, statusReport } from '../../src/control/schema.js'
import { conflictReports } from '../../src/control/schema-conflicts.js'
import { stopReports } from '../../src/control/schema-copies.js'
import { driftReports, memberDriftReports } from '../../src/control/schema-drift.js'
import { historyReport } from '../../src/control/schema-entries.js'
import { limitsReport } from '../../src/control/schema-limits.js'
import { logReport } from '../../src/control/schema-log.js'
import { membersReports, removedMemberReport } from '../../src/control/schema-members.js'
import { newReleaseReport, releasesReports } from '../../src/control/schema-releases.js'
import { auditReport, verifyReports } from '../../src/control/schema-trust.js'
import { repository } from '../support/repository.js'

/** As far as these schemas need it. */
interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
}

const page = readFileSync(new URL('docs/cli.md', repository), 'utf8')
const schemaOf = (schema: z.ZodType): JsonSchema => z.toJSONSchema(schema, { io: 'input' }) as JsonSchema

/** Where an example and a schema differ in their keys. */
function faultsOf(example: unknown, schema: JsonSchema, at: string): string[] {
  const shape = schema.anyOf?.find(({ properties, items }) => properties ?? items) ?? schema
  if (Array.isArray(example)) return example.flatMap((item) => faultsOf(item, shape.items ?? {}, `${at}[]`))
  if (typeof example !== 'object' || example === null || shape.properties === undefined) return []
  const shown = example as Record<string, unknown>
  return [
    ...Object.keys(shape.properties)
      .filter((key) => !(key in shown))
      .map((key) => `${at}.${key} is not shown`),
    ...Object.entries(shown).flatMap(([key, value]) => {
      const known = shape.properties![key]
      return known === undefined ? [`there is no ${at}.${key}`] : faultsOf(value, known, `${at}.${key}`)
    }),
  ]
}

test('the JSON of shoal status has every key', () => {
  const [, text = ''] = /^`shoal status`:\n\n```jsonc\n(.*?)```/ms.exec(page) ?? []
  // These two the command adds.
  const { verdict, because, ...example } = parse(text) as Record<string, unknown>
  assert.deepEqual([verdict, because], ['in-sync', []])
  assert.deepEqual(faultsOf(example, schemaOf(statusReport), 'status'), [])
  statusReport.parse(example)
})

const rows: [string, z.ZodType][] = [
  ['`shoal peers`: a list of', peerReports],
  ['`shoal conflicts`: a list of', conflictReports],
  ['`shoal history`:', historyReport],
  ['`shoal limits`:', limitsReport],
  ['`shoal drift`: a list of', driftReports],
  ['`shoal drift --all`: a list of', memberDriftReports],
  ['`shoal members`: a list of', membersReports],
  ['`shoal members remove`:', removedMemberReport],
  ['`shoal release list`: a list of', releasesReports],
  ['`shoal release create`:', newReleaseReport],
  ['`shoal verify`: a list of', verifyReports],
  ['`shoal audit`:', auditReport],
]
for (const [words, schema] of rows)
  test(`docs/cli.md, ${words} its keys`, () => {
    const pattern = new RegExp(`${words.replaceAll(' ', '\\s')}\\s\`\\{([^}]*)\\}`)
    const listed = pattern.exec(page)?.[1]?.split(/,\s*/)
    const { items, properties } = schemaOf(schema)
    assert.deepEqual(listed?.sort(), Object.keys((items ?? { properties }).properties ?? {}).sort())
  })

test('docs/cli.md, shoal log and shoal safe-to-stop: their keys', () => {
  const entry = schemaOf(logReport).properties!.entries!.items!.properties!
  const [, listed = ''] = /`shoal log`: a list of `\{([^}]*)\}/.exec(page) ?? []
  assert.deepEqual(listed.split(/,\s*/).sort(), ['dir', ...Object.keys(entry)].sort())
  assert.ok(schemaOf(stopReports).items!.properties!.safe !== undefined)
})
