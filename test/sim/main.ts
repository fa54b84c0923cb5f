// Runs simulated histories: `npm run sim -- --seed N` replays one and tells what happened, `--count N` runs that many from
// the seed on (default 1 and 2000), `--checkpoints` lets writers make checkpoints, `--plant RULE` breaks a rule on purpose, `--verbose` tells about every history.
// Exit code 1 if anything went wrong, after the first history that did.
import { parseArgs } from 'node:util'
import { PLANTS, TRUE_RULES } from './rules.js'
import { runHistory } from './world.js'

const values = parsed()
const first = Number(values.seed ?? 1)
const count = Number(values.count ?? (values.seed === undefined ? 2000 : 1))
const rules = values.plant === undefined ? TRUE_RULES : PLANTS[values.plant]
if (rules === undefined || !Number.isSafeInteger(first) || !Number.isSafeInteger(count)) endWithUsage()
const startedMs = performance.now()
let steps = 0
let failed = 0
let dropped = 0
for (let seed = first; seed < first + count; seed++) {
  const outcome = runHistory({ seed, rules, checkpoints: values.checkpoints, verbose: values.verbose })
  steps += outcome.steps
  dropped += outcome.dropped
  if (values.verbose) for (const event of outcome.events) console.log(event)
  if (outcome.faults.length === 0) continue
  failed++
  console.log(`seed ${seed} failed:`)
  for (const fault of outcome.faults) console.log(`  ${fault}`)
  if (values.all) continue
  if (!values.verbose)
    for (const event of runHistory({ seed, rules, checkpoints: values.checkpoints, verbose: true }).events)
      console.log(event)
  console.log(
    `replay it with: npm run sim -- --seed ${seed}${values.plant === undefined ? '' : ` --plant ${values.plant}`}${values.checkpoints ? ' --checkpoints' : ''}`,
  )
  process.exit(1)
}
const seconds = (performance.now() - startedMs) / 1000
console.log(
  `${count} histories, ${steps} steps in ${seconds.toFixed(1)} s (${Math.round(count / seconds)} histories a second), ${failed} failed, ${dropped} pieces dropped`,
)
process.exit(failed === 0 ? 0 : 1)

function parsed() {
  try {
    return parseArgs({
      options: {
        seed: { type: 'string' },
        count: { type: 'string' },
        plant: { type: 'string' },
        checkpoints: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        all: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    console.error((error as Error).message)
    return endWithUsage()
  }
}

function endWithUsage(): never {
  console.error(
    `usage: sim [--seed N] [--count N] [--checkpoints] [--verbose] [--all] [--plant ${Object.keys(PLANTS).join('|')}]`,
  )
  process.exit(64)
}
