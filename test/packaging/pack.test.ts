// The tarball of "npm pack", as somebody without this repository gets it: made from a clean copy of the sources, installed
// into an empty prefix without running any install script, and used.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repository } from '../support/repository.js'

interface Lock {
  readonly packages: Readonly<Record<string, { version: string; dev?: boolean }>>
}

const root = fileURLToPath(repository)
/** What a clone would not have, and the packages, which a link stands for. */
const NOT_SOURCES: ReadonlySet<string> = new Set(['node_modules', 'dist', 'build', '.build', '.git'])
/** How npm says that it could not fetch what its cache does not hold. */
const NO_REGISTRY =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|ERR_SOCKET_TIMEOUT|E5\d\d)\b/
const TIMEOUT_MS = 240_000

let scratch: string
before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'shoal-pack-'))
})
after(() => rmSync(scratch, { recursive: true }))

describe('npm pack', () => {
  it('gives a tarball that installs and runs without the repository', { timeout: TIMEOUT_MS }, async (t) => {
    const tarball = pack()
    const home = install(tarball)
    if (home === undefined)
      return t.skip('the registry cannot be reached, and the cache does not hold all packages')
    const shoal = join(scratch, 'prefix/bin/shoal')
    const run = (...argv: string[]): string => ok(spawnSync(shoal, argv, { encoding: 'utf8' }))

    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    assert.equal(run('--version'), `${version}\n`)
    assert.match(run('secret', 'new', '--grade', 'write'), /^shoalw1\w+\n$/)
    assert.ok(existsSync(join(scratch, 'prefix/share/man/man1/shoal.1')), 'the man page is linked')
    assertVersions(home)

    const config = join(scratch, 'shoal.conf')
    mkdirSync(join(scratch, 'dir'))
    const secret = run('secret', 'new', '--grade', 'write').trim()
    const share = { secret, dir: 'dir', search_lan: false }
    const keys = { listen_host: '127.0.0.1', storage_path: 'store', shared_folders: [share] }
    writeFileSync(config, JSON.stringify(keys), { mode: 0o600 })
    const daemon = spawn(shoal, ['run', config], { stdio: ['ignore', 'ignore', 'pipe'] })
    t.after(() => daemon.kill('SIGKILL'))
    const exited = once(daemon, 'exit')
    const log: string[] = []
    for await (const line of createInterface({ input: daemon.stderr })) {
      log.push(line)
      if (line.includes('"msg":"ready"')) break
    }
    daemon.stderr.resume()
    assert.ok(log.at(-1)?.includes('"msg":"ready"'), log.join('\n'))
    writeFileSync(join(scratch, 'dir/file'), 'content')
    run('scan', config)
    const status = JSON.parse(run('status', config, '--json')) as { shares: { files: number }[] }
    assert.equal(status.shares[0]?.files, 1)
    daemon.kill('SIGTERM')
    assert.deepEqual(await exited, [0, null])
  })
})

/** Packs a copy of the sources, which has nothing built; the tarball's path. */
function pack(): string {
  const copy = join(scratch, 'copy')
  cpSync(root, copy, {
    recursive: true,
    filter: (path) => join(path, '..') !== join(root, '.') || !NOT_SOURCES.has(basename(path)),
  })
  rmSync(join(copy, 'node_modules'), { recursive: true, force: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  ok(
    spawnSync('npm', ['pack', '--pack-destination', scratch], {
      cwd: copy,
      encoding: 'utf8',
      env: npmEnvironment(),
    }),
  )
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
  const tarball = join(scratch, `shoal-${version}.tgz`)
  const names = ok(spawnSync('tar', ['-tzf', tarball], { encoding: 'utf8' })).split('\n')
  assert.deepEqual(
    names.filter((name) => /^package\/(src|test|scripts|dist\/test|node_modules)\//.test(name)),
    [],
    'what a build needs, or makes besides the program, is not in it',
  )
  assert.ok(!existsSync(join(copy, 'npm-shrinkwrap.json')), 'packing cleans up')
  return tarball
}

/** The installed package's folder; undefined if npm could not fetch what it needs. */
function install(tarball: string): string | undefined {
  const prefix = join(scratch, 'prefix')
  const options = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund', '--fetch-retries=1']
  const installed = spawnSync('npm', ['install', '--global', '--prefix', prefix, ...options, tarball], {
    cwd: scratch,
    encoding: 'utf8',
    env: npmEnvironment(),
  })
  if (installed.status !== 0 && NO_REGISTRY.test(installed.stderr)) return undefined
  ok(installed)
  return join(prefix, 'lib/node_modules/shoal')
}

/** Every package is of the version that package-lock.json says, and none is for development. */
function assertVersions(home: string): void {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lock
  let compared = 0
  for (const [path, { version, dev }] of Object.entries(packages)) {
    const manifest = join(home, path, 'package.json')
    if (path === '' || !existsSync(manifest)) continue
    assert.notEqual(dev, true, path)
    assert.equal((JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version, version, path)
    compared++
  }
  assert.ok(compared > 50, `only ${compared} packages were found`)
}

/** npm run tells the scripts it runs about itself, which another npm within would take for its own settings. */
function npmEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^npm_(package|lifecycle|config_(global|local)_prefix|config_prefix)/.test(name),
    ),
  )
}

function ok({ status, stdout, stderr, error }: ReturnType<typeof spawnSync>): string {
  assert.equal(status, 0, `${error ?? ''}\n${stdout}\n${stderr}`)
  return String(stdout)
}
