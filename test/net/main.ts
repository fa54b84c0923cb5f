// What scripts/test-net.mjs runs inside of the lab's namespaces: the scenarios that were asked for, one after the other,
// each in a lab of its own, and their table. Ends with 1 if one of them was not as expected.
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { Lab } from './lab.js'
import { type Found, writeTables } from './report.js'
import { runScenario } from './scenario.js'
import { SCENARIOS } from './scenarios.js'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    list: { type: 'boolean', default: false },
    script: { type: 'string' },
    'no-docs': { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
// The pipe to who started this: when it ends, this is over. As process 1 of its namespace it takes all others with it.
process.stdin.on('end', () => process.exit(130)).resume()

if (values.list) {
  for (const { name, table } of SCENARIOS) console.log(`${name.padEnd(50)}${table}`)
  process.exit(0)
}
if (values.script !== undefined) process.exit(await runScript(values.script))

const chosen =
  positionals.length === 0
    ? SCENARIOS
    : SCENARIOS.filter(({ name }) => positionals.some((part) => name.includes(part)))
if (chosen.length === 0) {
  console.error(`no scenario is called so: ${positionals.join(' ')}; --list tells them`)
  process.exit(1)
}
const found = new Map<string, Found>()
const failed: string[] = []
for (const scenario of chosen) {
  const startMs = performance.now()
  const why = scenario.obstacle?.()
  if (why !== undefined) {
    console.log(`- ${scenario.name}: skipped: ${why}`)
    continue
  }
  const folder = path.join('/mnt/work', scenario.name)
  fs.mkdirSync(folder, { recursive: true })
  const say = (text: string): void => console.log(`    ${text}`)
  const took = (): string => `${((performance.now() - startMs) / 1000).toFixed(1)} s`
  try {
    const rows = await runScenario(scenario, { seed, folder, say })
    found.set(scenario.name, { rows })
    console.log(`+ ${scenario.name} (${took()})`)
    for (const row of rows) say(Object.values(row).join(' | '))
  } catch (thrown) {
    const failure = thrown instanceof Error ? thrown.message : String(thrown)
    failed.push(scenario.name)
    found.set(scenario.name, { failure })
    console.log(`! ${scenario.name} (${took()}): ${failure}`)
    if (process.env.SHOAL_NET_STACK !== undefined) console.log(thrown)
  }
  // At once, so that what was measured stays if the rest is interrupted.
  if (!values['no-docs'])
    writeTables(SCENARIOS, new Map([[scenario.name, found.get(scenario.name)!]]), Date.now())
  fs.rmSync(folder, { recursive: true, force: true })
}
console.log(
  `${found.size - failed.length} as expected, ${failed.length} not${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`,
)
process.exit(failed.length === 0 ? 0 : 1)

/** Runs the default export of a module, `(lab, folder) => Promise`, in a lab. */
async function runScript(file: string): Promise<number> {
  const { default: script } = (await import(pathToFileURL(file).href)) as {
    default: (lab: Lab, folder: string) => Promise<void>
  }
  const lab = new Lab(seed)
  try {
    await script(lab, '/mnt/work')
    return 0
  } finally {
    lab.close()
  }
}
