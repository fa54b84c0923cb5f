// Completes package-lock.json after `npm install`: a registry mirror that does not hold the builds of other platforms
// makes npm leave them out of the lock file, and `npm ci` then refuses it everywhere. The entries say for which platform
// each is, so that npm passes over the others without asking for them. Run it after every change of a dependency.
import { readFileSync, writeFileSync } from 'node:fs'

const file = new URL('../package-lock.json', import.meta.url)
const lock = JSON.parse(readFileSync(file, 'utf8'))
const OS = ['android', 'darwin', 'freebsd', 'linux', 'win32', 'openbsd', 'sunos', 'aix']
const CPU = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 's390x', 'riscv64', 'loong64', 'mips64el', 'universal']
const LIBC = { musl: 'musl', gnu: 'glibc', gnueabihf: 'glibc', musleabihf: 'musl' }

let added = 0
for (const [parent, { optionalDependencies = {}, dev }] of Object.entries({ ...lock.packages })) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const path = `node_modules/${name}`
    if (parent === '' || lock.packages[path] !== undefined) continue
    const words = name.slice(name.lastIndexOf('/') + 1).split('-')
    const os = OS.find((each) => words.includes(each))
    const cpu = CPU.find((each) => words.includes(each))
    if (os === undefined || cpu === undefined) continue
    const libc = words.map((word) => LIBC[word]).find((each) => each !== undefined)
    lock.packages[path] = {
      version,
      cpu: [cpu],
      ...(dev === true ? { dev } : {}),
      ...(libc === undefined || os !== 'linux' ? {} : { libc: [libc] }),
      optional: true,
      os: [os],
    }
    added++
  }
}
const sorted = Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1))
lock.packages = Object.fromEntries(sorted)
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
console.log(`${added} builds of other platforms added`)
