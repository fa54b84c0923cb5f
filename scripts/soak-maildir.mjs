// Mail for as long as one likes (A2): `node scripts/soak-maildir.mjs [--seed N] [--messages N]` after a build. Messages
// are delivered, flagged and moved on three nodes while readers list all of them; prints what was wrong with any listing.
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    messages: { type: 'string', default: '10000' },
  },
})
const built = (file) => import(new URL(`../dist/test/${file}`, import.meta.url))
const { withWorld } = await built('support/daemons.js')
const { mailRounds } = await built('e2e/mail-rounds.js')

const startedMs = performance.now()
const seconds = () => Math.round((performance.now() - startedMs) / 1000)
await withWorld({}, async (world) => {
  const report = await mailRounds(world, {
    seed: Number(values.seed),
    messages: Number(values.messages),
    onWave: (what) => console.log(`${what}, ${seconds()} s`),
  })
  const { renames, listings, copied, faults, unsound, archived } = report
  console.log(
    `seed ${values.seed}: ${renames} renames, ${listings} listings, ${copied} copied, ${archived.length} archived, ${seconds()} s`,
  )
  for (const fault of unsound) console.error(`a plain rename was not listed once either: ${fault}`)
  for (const fault of faults) console.error(fault)
  for (const file of archived) console.error(`archived: ${file}`)
  if (copied + archived.length + faults.length + unsound.length > 0)
    throw new Error('not every message was seen once, or one was copied')
})
