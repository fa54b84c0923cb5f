// Builds src, test, bench and examples into dist/, and of src what bin/shoal starts into dist/program (one command; `npm ci` runs it by itself through "prepare").
// A package installed without development tools (npm install --omit=dev of a packed tarball) has dist/ already.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'

const root = new URL('..', import.meta.url)
const require = createRequire(import.meta.url)
let compiler
try {
  compiler = require.resolve('typescript/package.json').replace(/package\.json$/, 'bin/tsc')
  require.resolve('esbuild')
} catch (cause) {
  if (existsSync(new URL('dist/program/cli/main.js', root))) process.exit(0)
  throw new Error('cannot build: typescript or esbuild is not installed; run npm ci first', { cause })
}
// A file that was renamed must not live on as a stale test or a stale worker.
rmSync(new URL('dist', root), { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [compiler, '-p', 'tsconfig.json'], {
  cwd: root,
  stdio: 'inherit',
})
if (status !== 0) process.exit(status ?? 1)
await import('./bundle.mjs')
chmodSync(new URL('dist/src/cli/main.js', root), 0o755)
const { keepCode } = await import('./bundle/code-cache.mjs')
const fault = await keepCode()
if (fault !== undefined)
  console.error(`note: shoal will start a little later: no compiled code was kept: ${fault}`)
