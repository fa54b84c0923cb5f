// Makes dist/program of dist/src: each file that is started by itself (src/ports/program.ts) as one file with all it needs of ours and
// of the libraries that are only script (docs/decisions/0074-bundle.md).
// - One file each and nothing shared: what a daemon loads late is in the file that it was started from, whatever an upgrade has put in
//   its place since.
// - CommonJS: a module that is imported late is evaluated late, and so are the packages that stay outside and the modules of node that
//   only it needs. In an ES module all of these would be loaded first.
// - Names are kept, for the stacks in logs.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { noticesOf } from './bundle/notices.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const OUT = 'dist/program'

const FILES = [
  'cli/main.js',
  'folder/worker.js',
  'folder/watch-worker.js',
  'nat/map-worker.js',
  'store/lmdb-probe.js',
]

/** Packages that stay what they are, and why. */
const OUTSIDE = {
  'what they load from beside themselves is native code': [
    ...['@napi-rs/blake-hash', 'fs-native-extensions', 'koffi', 'lmdb', 'quickbit-native', 'rocksdb-native'],
    ...['simdle-native', 'sodium-native', 'udx-native'],
  ],
  'starts a file of its own as a thread': ['piscina'],
  'large, and few need it': ['@aws-sdk/client-s3'],
  'awaits at its top, and is drawn with by the dashboard alone': ['ink', 'react'],
}
const outside = new Set(Object.values(OUTSIDE).flat())
/** Its main file asks for its parts in a way that only a loader can follow. */
const INSTEAD = { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' }

const require = createRequire(join(root, OUT, 'cli/main.js'))

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: FILES.map((file) => `dist/src/${file}`),
  outbase: 'dist/src',
  outdir: OUT,
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
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href" },
  plugins: [{ name: 'packages', setup: resolvePackages }],
})
// The nearest package.json says how node reads a .js file; this folder's are CommonJS.
writeFileSync(join(root, OUT, 'package.json'), '{ "type": "commonjs" }\n')
writeFileSync(join(root, OUT, 'THIRD-PARTY.txt'), noticesOf(root, metafile))

function resolvePackages({ onResolve, resolve }) {
  onResolve({ filter: /^[^./]/ }, ({ path, kind, resolveDir, pluginData }) => {
    if (pluginData === 'instead') return
    if (INSTEAD[path] !== undefined)
      return resolve(INSTEAD[path], { kind, resolveDir, pluginData: 'instead' })
    const name = path
      .split('/')
      .slice(0, path.startsWith('@') ? 2 : 1)
      .join('/')
    if (!outside.has(name)) return
    // From the bundle it is found at the top of node_modules; one that is nested for who asked would be another version.
    const asked = createRequire(`${resolveDir}/`).resolve(path)
    if (asked !== require.resolve(path))
      throw new Error(`${path} stays outside, but ${resolveDir} has another one: ${asked}`)
    return { path, external: true }
  })
}

function leastNode() {
  const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const [, least] = /^>=(\d+\.\d+\.\d+)$/.exec(engines.node)
  return least
}
