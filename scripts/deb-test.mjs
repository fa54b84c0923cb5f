// Installs, runs, upgrades, removes and purges the package in clean Debians that have no network (npm run test:deb, which
// builds it first): a minimal one without systemd, and one that is booted in a container. They are made by debootstrap and
// kept in build/cache; this machine is not changed, apart from debootstrap and systemd-container being installed where they
// are missing. Arguments: the Debian releases to test in (bookworm).
// Where it cannot run, it says why and ends with exit code 0.
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { booted, cleanDebian, ensure, inside, obstacle, unpack } from './deb-test/debian.mjs'

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
const outcomes = suites.flatMap((suite) => [
  test(`${suite}, a minimal one`, suite, [], 'tmp/inside.sh', inside),
  test(`${suite}, booted`, suite, ['dbus', 'systemd', 'systemd-sysv'], 'root/booted.sh', inContainer),
])
console.log(outcomes.join('\n'))
process.exit(outcomes.some((outcome) => outcome.includes('fails')) ? 1 : 0)

/** Runs one script in one Debian; says in a line how it went. `run` gives an exit code, or a text why it did not. */
function test(name, suite, packages, script, run) {
  const image = cleanDebian(
    join(build, 'cache'),
    suite,
    packages.length === 0 ? 'minimal' : 'systemd',
    packages,
  )
  if (image === undefined) return `skipped: ${name}: it cannot be made here`
  console.log(`${name}:`)
  const root = mkdtempSync(join(tmpdir(), 'shoal-deb-'))
  try {
    unpack(image, root)
    const folder = dirname(script)
    const put = (from, to) => copyFileSync(from, join(root, folder, to))
    put(older, 'older.deb')
    put(newer, 'newer.deb')
    for (const file of ['common.sh', basename(script)])
      put(new URL(`deb-test/${file}`, import.meta.url), file)
    const result = run(root, ['sh', `/${script}`, `/${folder}/older.deb`, `/${folder}/newer.deb`])
    if (typeof result === 'string') return `skipped: ${name}: ${result}`
    return `the package ${result === 0 ? 'passes' : 'fails'}: ${name}`
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

function inContainer(root, command) {
  if (!ensure('systemd-nspawn', 'systemd-container')) return 'there is no systemd-nspawn'
  return booted(root, command) ?? 'systemd does not boot in a container on this machine'
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
