// Which packages a daemon needs on one platform, and which of their files. The packages are those of node_modules, which
// "npm ci" made and verified, so nothing is fetched. What a file is left out for is counted, for the table that
// docs/packaging.md holds.
import { cpSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, extname, join } from 'node:path'

/** The platform that a package is built for. `abi` is the bundled node's `process.versions.modules`. */
/** @typedef {{ os: string, cpu: string, libc: 'glibc' | 'musl', abi: string }} Target */

/** Folders of a package's root that no program loads. */
const SIDE_FOLDERS = new Set([
  ...[
    '.github',
    '.vscode',
    'bench',
    'benchmark',
    'benchmarks',
    'coverage',
    'doc',
    'docs',
    'example',
    'examples',
  ],
  ...['test', 'tests', '__tests__'],
])
/** C and C++ sources and how they are built: lmdb carries all of LMDB, koffi its library, lz4 and rpc. */
const SOURCES = new Set([
  '.c',
  '.cc',
  '.cpp',
  '.h',
  '.hpp',
  '.hh',
  '.inc',
  '.S',
  '.asm',
  '.def',
  '.gyp',
  '.gypi',
  '.cmake',
  '.m4',
  '.in',
  '.am',
  '.ac',
])
/** What editors and people read. */
const PAGES = new Set([
  '.md',
  '.markdown',
  '.map',
  '.ts',
  '.cts',
  '.mts',
  '.flow',
  '.txt',
  '.yml',
  '.yaml',
  '.tgz',
])
const LICENCE = /^(licen[cs]e|copying|copyright|notice)\b/i

/**
 * The production packages of package-lock.json as paths below the root ("node_modules/x"), those of other platforms left
 * out. Throws if one is missing or of another version than the lock file says.
 */
export function productionPackages(root, lock, target) {
  const fits = (wanted, own) => wanted === undefined || wanted.includes(own)
  const wanted = Object.entries(lock.packages).filter(
    ([path, { dev, os, cpu, libc }]) =>
      path !== '' && dev !== true && fits(os, target.os) && fits(cpu, target.cpu) && fits(libc, target.libc),
  )
  return wanted.flatMap(([path, { version, optional }]) => {
    const manifest = join(root, path, 'package.json')
    if (!existsSync(manifest)) {
      if (optional === true) return []
      throw new Error(`cannot build: ${path} is not installed; run npm ci first`)
    }
    const installed = JSON.parse(readFileSync(manifest, 'utf8'))
    if (installed.version !== version)
      throw new Error(
        `cannot build: ${path} is ${installed.version}, package-lock.json says ${version}; run npm ci first`,
      )
    return [{ path, name: installed.name, version, licence: licenceOf(installed) }]
  })
}

/** Why a file of a package is left out, as the table's word; undefined if it stays. `path` is below the package. */
export function reasonToDrop(path, target) {
  const parts = path.split('/')
  const name = parts.at(-1)
  if (LICENCE.test(name)) return undefined
  if (parts[0] === 'prebuilds') {
    if (parts[1] !== `${target.os}-${target.cpu}`) return 'prebuilds of other platforms'
    if (name.endsWith('.bare')) return 'prebuilds for Bare'
  }
  if (extname(name) === '.node' && isForeign(path, target)) return 'prebuilds of other platforms'
  if (SIDE_FOLDERS.has(parts[0]) && parts.length > 1) return 'tests, examples, documents'
  // .npmignore, .eslintrc and their like.
  if (name.startsWith('.')) return 'tests, examples, documents'
  if (SOURCES.has(extname(name)) || /^(CMakeLists\.txt|Makefile|configure)$/.test(name)) return 'C sources'
  if (PAGES.has(extname(name)) || /^(readme|changelog|history|authors)$/i.test(name))
    return 'source maps, types, pages'
  return undefined
}

/** Copies one package without the packages nested in it; adds to `sizes`: reason (or "kept") to bytes. */
export function copyPackage(from, to, target, sizes) {
  const nested = join(from, 'node_modules')
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const file = join(entry.parentPath, entry.name)
    if (file.startsWith(`${nested}/`)) continue
    const path = file.slice(from.length + 1)
    const reason = reasonToDrop(path, target)
    sizes.set(reason ?? 'kept', (sizes.get(reason ?? 'kept') ?? 0) + statSync(file).size)
    if (reason === undefined) cpSync(file, join(to, path))
  }
}

/** A file such as node.abi127.glibc.node (lmdb's way) or musl_x64/koffi.node, where another is the one that is loaded. */
function isForeign(path, { libc, abi }) {
  const words = path.split(/[./_]/)
  if ((words.includes('musl') || words.includes('glibc')) && !words.includes(libc)) return true
  const built = words.find((word) => /^abi\d+$/.test(word))
  return built !== undefined && built !== `abi${abi}`
}

function licenceOf({ license, licenses }) {
  if (typeof license === 'string') return license
  if (typeof license?.type === 'string') return license.type
  return Array.isArray(licenses) ? licenses.map(({ type }) => type).join(' or ') : 'see its files'
}

/** The files in a tree that the system's linker will load, below `folder`. */
export function nativeFiles(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && (extname(entry.name) === '.node' || entry.name === 'node'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .filter((file) => readFileSync(file).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1')))
    .sort((a, b) => (dirname(a) < dirname(b) ? -1 : 1))
}
