// Puts the exact versions of package-lock.json, without those of development, into the tarball of "npm pack": npm reads
// no lock file of a package that is installed by name, but does read npm-shrinkwrap.json. It is there only while packing,
// as npm would otherwise read it in place of package-lock.json.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'

const file = new URL('../npm-shrinkwrap.json', import.meta.url)
if (process.argv.includes('--remove')) {
  rmSync(file, { force: true })
} else {
  const lock = JSON.parse(readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8'))
  const { devDependencies: _, ...top } = lock.packages['']
  const rest = Object.entries(lock.packages).filter(([path, { dev }]) => path !== '' && dev !== true)
  lock.packages = { '': top, ...Object.fromEntries(rest) }
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
}
