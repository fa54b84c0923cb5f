// Makes dist/program of dist/src: each file that is started by itself (src/ports/program.ts) as one file with all it needs of ours and
// of the libraries that are only script (docs/decisions/0074-bundle.md).
// - One file each and nothing shared: what a daemon loads late is in the file that it was started from, whatever an upgrade has put in
//   its place since.
// - CommonJS: a module that is imported late is evaluated late, and so are the packages that stay outside and the modules of node that
//   only it needs. In an ES module all of these would be loaded first.
// - Names are kept, for the stacks in logs.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { noticesOf } from './bundle/notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const OUT = 'dist/program'

/** What is started by itself, but for the command. */
const FILES = ['folder/worker.js', 'folder/watch-worker.js', 'nat/map-worker.js', 'store/lmdb-probe.js']

/** Packages that stay what they are, and why. */
const OUTSIDE = {
  'what they load from beside themselves is native code': [
    ...['@napi-rs/blake-hash', 'fs-native-extensions', 'koffi', 'lmdb', 'quickbit-native', 'rocksdb-native'],
    ...['simdle-native', 'sodium-native', 'udx-native'],
  ],
  'starts a file of its own as a thread': ['piscina'],
  'large, and few need it': ['@aws-sdk/client-s3'],
  'is of what udx-native makes its streams, which know each other by what is private to it': ['streamx'],
  'awaits at its top, and is drawn with by the dashboard alone': ['ink', 'react'],
}
const outside = new Set(Object.values(OUTSIDE).flat())
/**
 * Those that our package.json does not name, which therefore need not lie where the bundle finds them: who needs each, from one that it
 * names. Node finds the next from the one before, however an installer nests them.
 */
const THROUGH = {
  'quickbit-native': ['hypercore', 'quickbit-universal'],
  'rocksdb-native': ['hypercore-storage'],
  'simdle-native': ['hypercore', 'quickbit-universal', 'simdle-universal'],
  'udx-native': ['hyperdht', 'dht-rpc'],
  // The very one that udx-native has.
  streamx: ['hyperdht', 'dht-rpc', 'udx-native'],
}
/** Its main file asks for its parts in a way that only a loader can follow. */
const INSTEAD = { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' }

// Its CommonJS file takes its own path for a URL as it stands: "#", "?" and "%" in it would lead elsewhere.
const LMDB = `const { pathToFileURL } = require('node:url')
globalThis.document = { currentScript: { tagName: 'SCRIPT', src: pathToFileURL(require.resolve('lmdb')).href } }
try { module.exports = require('lmdb') } finally { delete globalThis.document }`

const { dependencies, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const require = createRequire(join(root, OUT, 'cli/main.js'))

const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: `node${leastNode()}`,
  // All characters one byte: V8 keeps the text as long as the process lives.
  charset: 'ascii',
  legalComments: 'none',
  metafile: true,
  logLevel: 'warning',
  define: { 'import.meta.url': 'importMetaUrl' },
  plugins: [{ name: 'packages', setup: resolvePackages }],
}
/** All is strict, as our modules are; and where a file says that it is. */
const HERE = "'use strict';const importMetaUrl = require('node:url').pathToFileURL(__filename).href"

const others = await build({
  ...common,
  entryPoints: FILES.map((file) => `dist/src/${file}`),
  outbase: 'dist/src',
  outdir: OUT,
  banner: { js: HERE },
})
// The command comes in two files: what is compiled once for all, and what loads it (src/cli/load.ts).
const command = await build({
  ...common,
  entryPoints: { shoal: 'dist/src/cli/main.js' },
  entryNames: '[name].[hash]',
  outdir: `${OUT}/cli`,
  banner: { js: `(function (require, importModule, __filename, __dirname) {${HERE}` },
  footer: { js: '})' },
  write: false,
})
const [bundle] = Object.keys(command.metafile.outputs)
// import() in code that is not loaded by node's own loader is experimental in node 20, and lost where it was compiled before.
let imports = 0
const text = command.outputFiles[0].text.replace(/\bimport\((?="[^"]+"\))/g, () => {
  imports++
  return 'importModule('
})
const asked = command.metafile.outputs[bundle].imports.filter(({ kind }) => kind === 'dynamic-import').length
if (imports !== asked) throw new Error(`${imports} of ${asked} import() were found in ${bundle}`)
mkdirSync(join(root, OUT, 'cli'), { recursive: true })
writeFileSync(join(root, bundle), text)
const loader = await build({
  ...common,
  entryPoints: { main: 'dist/src/cli/load.js' },
  outdir: `${OUT}/cli`,
  banner: { js: HERE },
  define: { ...common.define, BUNDLE: JSON.stringify(basename(bundle)) },
})
const outputs = Object.assign({}, ...[others, command, loader].map(({ metafile }) => metafile.outputs))
// The nearest package.json says how node reads a .js file; this folder's are CommonJS.
writeFileSync(join(root, OUT, 'package.json'), '{ "type": "commonjs" }\n')
writeFileSync(join(root, OUT, 'THIRD-PARTY.txt'), noticesOf(root, outputs))

function resolvePackages({ onResolve, onLoad, resolve }) {
  onResolve({ filter: /^lmdb$/ }, ({ namespace }) =>
    namespace === 'lmdb' ? { path: 'lmdb', external: true } : { path: 'lmdb', namespace: 'lmdb' },
  )
  onLoad({ filter: /./, namespace: 'lmdb' }, () => ({ contents: LMDB, resolveDir: root }))
  onLoad({ filter: /./, namespace: 'through' }, ({ path }) => ({
    contents: requiring(path),
    resolveDir: root,
  }))
  onResolve({ filter: /^[^./]/ }, ({ path, kind, resolveDir, pluginData }) => {
    if (pluginData === 'instead') return
    if (INSTEAD[path] !== undefined)
      return resolve(INSTEAD[path], { kind, resolveDir, pluginData: 'instead' })
    const name = path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/')
    if (!outside.has(name)) return
    const through = dependencies[name] === undefined ? THROUGH[path] : []
    if (through === undefined || dependencies[through[0] ?? name] === undefined)
      throw new Error(`${path} stays outside, and nothing that package.json names is known to lead to it`)
    // One that is nested for who asked would be another version.
    const asked = createRequire(`${resolveDir}/`).resolve(path)
    if (asked !== through.reduce(next, require).resolve(path))
      throw new Error(`${path} stays outside, but ${resolveDir} has another one: ${asked}`)
    return through.length === 0 ? { path, external: true } : { path, namespace: 'through' }
  })
}

/** What a module of the bundle is that stands for a package found through others. */
function requiring(path) {
  return `const { createRequire } = require('node:module')
const next = ${next}
module.exports = ${JSON.stringify(THROUGH[path])}.reduce(next, require)(${JSON.stringify(path)})`
}

/** A package's own require. */
function next(from, name) {
  return createRequire(from.resolve(name))
}

function leastNode() {
  const [, least] = /^>=(\d+\.\d+\.\d+)$/.exec(engines.node)
  return least
}
