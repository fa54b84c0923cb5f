// Builds build/shoal_VERSION_ARCH.deb from dist/ and node_modules, without a network (docs/packaging.md).
// Arguments: --out FOLDER (build), --version VERSION (package.json's), --compression xz|zstd|gzip|none (xz), --node FILE
// (the node that runs this). Prints what went in and what was left out.
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { changelogFile, controlFile, copyrightFile, debianVersion } from './deb/control.mjs'
import { copyPackage, nativeFiles, productionPackages } from './deb/dependencies.mjs'
import { sharedLibraries } from './deb/libraries.mjs'
import { copyRuntime, findRuntime } from './deb/runtime.mjs'
import { sourceDate } from './deb/source-date.mjs'
import { installedBytes, md5sums, pack, put, putGzip, settle } from './deb/tree.mjs'

const repository = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')
const manifest = JSON.parse(read('package.json'))
const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: join(repository, 'build') },
    version: { type: 'string', default: manifest.version },
    compression: { type: 'string', default: 'xz' },
    node: { type: 'string' },
  },
})

const PROGRAMS = new Set([
  ...[
    '/usr/lib/shoal/bin/shoal',
    '/usr/lib/shoal/node',
    '/usr/lib/systemd/system-generators/shoal-generator',
  ],
  ...['/DEBIAN/postinst', '/DEBIAN/prerm', '/DEBIAN/postrm'],
])

const date = sourceDate()
const version = debianVersion(options.version)
const architecture = output('dpkg', ['--print-architecture'])
const out = resolve(options.out)
const root = join(out, 'root')
rmSync(root, { recursive: true, force: true })
mkdirSync(root, { recursive: true })
chmodSync(root, 0o755)

const runtime = findRuntime(options.node)
const target = { os: process.platform, cpu: process.arch, libc: 'glibc', abi: runtime.abi }
const packages = productionPackages(repository, JSON.parse(read('package-lock.json')), target)
const sizes = addProgram()
addPages()
addSystemFiles()
addControl()
settle(root, PROGRAMS, date)
const file = join(out, `shoal_${version}_${architecture}.deb`)
pack(root, file, options.compression, date)
rmSync(root, { recursive: true })
report()

/** /usr/lib/shoal and /usr/bin/shoal. */
function addProgram() {
  const home = join(root, 'usr/lib/shoal')
  // Compiled code is no two times the same, and of use where it was made alone (scripts/bundle/code-cache.mjs).
  for (const path of readdirSync(join(repository, 'dist/program'), { recursive: true }))
    if (/\.(js|json|txt)$/.test(path)) copy(`dist/program/${path}`, `/usr/lib/shoal/dist/program/${path}`)
  for (const path of ['bin/shoal', 'package.json']) copy(path, `/usr/lib/shoal/${path}`)
  mkdirSync(join(root, 'usr/bin'), { recursive: true })
  symlinkSync('../lib/shoal/bin/shoal', join(root, 'usr/bin/shoal'))
  const bytes = new Map()
  for (const { path } of packages) copyPackage(join(repository, path), join(home, path), target, bytes)
  return { packages: bytes, node: copyRuntime(runtime, join(home, 'node')) }
}

function addPages() {
  const docs = '/usr/share/doc/shoal'
  putGzip(root, `${docs}/changelog.gz`, changelogFile(read('CHANGELOG.md'), version, date))
  put(root, `${docs}/copyright`, copyrightFile({ licenceText: read('LICENSE'), packages, runtime }))
  putGzip(root, `${docs}/node-LICENSE.gz`, readFileSync(runtime.licence))
  copy('README.md', `${docs}/README.md`)
  copy('docs', `${docs}/docs`)
  copy('examples', `${docs}/examples`)
  for (const page of readdirSync(join(repository, 'dist/man')))
    putGzip(root, `/usr/share/man/man${page.split('.').at(-1)}/${page}.gz`, read(`dist/man/${page}`))
  copy('dist/completion/shoal.bash', '/usr/share/bash-completion/completions/shoal')
  copy('dist/completion/_shoal', '/usr/share/zsh/vendor-completions/_shoal')
  copy('dist/completion/shoal.fish', '/usr/share/fish/vendor_completions.d/shoal.fish')
}

function addSystemFiles() {
  for (const unit of ['shoal@.service', 'shoal.target', 'shoal-up.service', 'shoal-relay.service'])
    copy(`examples/systemd/${unit}`, `/usr/lib/systemd/system/${unit}`)
  copy('examples/systemd/shoal-generator', '/usr/lib/systemd/system-generators/shoal-generator')
  copy('packaging/debian/shoal.default', '/etc/default/shoal')
  // Names of configurations are no secret, and daemons of several users read theirs here; a file that holds a secret
  // protects itself, and shoal refuses one that does not.
  for (const folder of ['etc/shoal', 'var/lib/shoal']) mkdirSync(join(root, folder), { recursive: true })
}

function addControl() {
  const depends = sharedLibraries(nativeFiles(join(root, 'usr/lib/shoal')))
  const { description } = manifest
  const bytes = installedBytes(root)
  const sums = md5sums(root)
  put(
    root,
    '/DEBIAN/control',
    controlFile({ version, architecture, depends, installedBytes: bytes, description }),
  )
  put(root, '/DEBIAN/md5sums', sums)
  put(root, '/DEBIAN/conffiles', '/etc/default/shoal\n')
  for (const script of ['postinst', 'prerm', 'postrm'])
    copy(`packaging/debian/${script}`, `/DEBIAN/${script}`)
}

function report() {
  const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`.padStart(10)
  const kept = sizes.packages.get('kept')
  const all = [...sizes.packages.values()].reduce((sum, bytes) => sum + bytes, 0)
  const rows = [
    ['production packages as installed', all],
    ...[...sizes.packages]
      .filter(([reason]) => reason !== 'kept')
      .map(([reason, bytes]) => [`  without ${reason}`, -bytes]),
    [`${packages.length} packages as packaged`, kept],
    [`node ${runtime.version}`, sizes.node.before],
    ['  without debugging symbols', sizes.node.after],
    [file.slice(out.length + 1), statSync(file).size],
  ]
  for (const [what, bytes] of rows) console.log(`${megabytes(bytes)}  ${what}`)
}

function copy(from, to) {
  if (!existsSync(join(repository, from)))
    throw new Error(`cannot build: there is no ${from}; run: npm run manuals`)
  cpSync(join(repository, from), join(root, to), { recursive: true })
}

function read(path) {
  return readFileSync(join(repository, path), 'utf8')
}

function output(command, arguments_) {
  const { status, error, stdout, stderr } = spawnSync(command, arguments_, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`cannot build: ${command}: ${error?.message ?? stderr}`)
  return stdout.trim()
}
