// Installs, runs, upgrades, removes and purges the package in a clean Debian that has no network (npm run test:deb, which
// builds it first). The Debian is made by debootstrap and kept in build/cache; this machine is not changed, apart from
// debootstrap being installed where it is missing. Arguments: the Debian releases to test in (bookworm).
// Where it cannot run, it says why and ends with exit code 0.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cleanDebian, inside, obstacle, unpack } from './deb-test/debian.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url))
const build = join(repository, 'build')
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'))
const suites = process.argv.length > 2 ? process.argv.slice(2) : ['bookworm']

const reason = obstacle()
if (reason !== undefined) {
  console.log(`skipped: ${reason}`)
  process.exit(0)
}
const older = buildPackage(version)
const newer = buildPackage(`${version}+upgrade`)
for (const suite of suites) test(suite)
console.log(`the package passes in ${suites.join(', ')}`)

function test(suite) {
  const image = cleanDebian(join(build, 'cache'), suite, 'minimal', [])
  if (image === undefined) {
    console.log(`skipped: no clean ${suite} can be made here`)
    process.exit(0)
  }
  console.log(`${suite}:`)
  const root = mkdtempSync(join(tmpdir(), 'shoal-deb-'))
  try {
    unpack(image, root)
    copyFileSync(older, join(root, 'tmp/older.deb'))
    copyFileSync(newer, join(root, 'tmp/newer.deb'))
    copyFileSync(new URL('deb-test/inside.sh', import.meta.url), join(root, 'tmp/inside.sh'))
    if (inside(root, ['sh', '/tmp/inside.sh', '/tmp/older.deb', '/tmp/newer.deb']) !== 0) {
      console.log(`the package fails in ${suite}`)
      process.exitCode = 1
    }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
  if (process.exitCode === 1) process.exit()
}

/** Uncompressed, which takes seconds instead of minutes; the path of the file. */
function buildPackage(wanted) {
  const out = join(build, `test-${wanted}`)
  rmSync(out, { recursive: true, force: true })
  mkdirSync(out, { recursive: true })
  const options = ['--version', wanted, '--compression', 'none', '--out', out]
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(repository, 'scripts/deb.mjs'), ...options],
    {
      encoding: 'utf8',
    },
  )
  if (status !== 0) throw new Error(`cannot build the package: ${stderr}`)
  return join(out, stdout.trim().split('\n').at(-1).trim().split(/\s+/).at(-1))
}
