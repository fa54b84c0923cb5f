// Runs one benchmark by name: npm run bench -- NAME [arguments]. Each is a file bench/NAME.bench.ts that answers the
// question at its top and prints its figures.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

// Nothing is measured on other people's machines.
process.env.SHOAL_PUBLIC_DHT = 'off'

const folder = new URL('../dist/bench/', import.meta.url)
const [name, ...args] = process.argv.slice(2)
const file = new URL(`${name}.bench.js`, folder)
if (name === undefined || !existsSync(file)) {
  const names = readdirSync(folder)
    .filter((each) => each.endsWith('.bench.js'))
    .map((each) => each.replace('.bench.js', ''))
  console.error(`usage: npm run bench -- NAME [arguments]\nbenchmarks: ${names.join(', ')}`)
  process.exit(64)
}
process.exit(spawnSync(process.execPath, [fileURLToPath(file), ...args], { stdio: 'inherit' }).status ?? 1)
