// The node that the package brings: no Debian release has one that is new enough (docs/packaging.md). By default it is
// the one that builds; another one by --node.
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, realpathSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** Of package.json's engines. */
const OLDEST = [20, 20]

/** {file, version, abi, licence}: paths of the binary and of its licence. Throws if it is too old or has no licence. */
export function findRuntime(file = process.execPath) {
  const asked = spawnSync(file, ['-p', 'JSON.stringify([process.versions.node, process.versions.modules])'], {
    encoding: 'utf8',
  })
  if (asked.status !== 0)
    throw new Error(`cannot build: ${file} does not run: ${asked.error ?? asked.stderr}`)
  const [version, abi] = JSON.parse(asked.stdout)
  const [major, minor] = version.split('.').map(Number)
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]))
    throw new Error(`cannot build: ${file} is node ${version}, but ${OLDEST.join('.')} or newer is needed`)
  const prefix = dirname(dirname(realpathSync(file)))
  const places = [
    'LICENSE',
    'share/doc/node/LICENSE',
    'share/doc/nodejs/LICENSE',
    'share/doc/nodejs/copyright',
  ]
  const licence = places.map((place) => join(prefix, place)).find((place) => existsSync(place))
  if (licence === undefined)
    throw new Error(
      `cannot build: node's licence, which has to go with it, is at none of ${places.join(', ')} in ${prefix}`,
    )
  return { file: realpathSync(file), version, abi, licence }
}

/** Copies it without its debugging symbols, where binutils are there to remove them; {before, after} in bytes. */
export function copyRuntime({ file }, to) {
  copyFileSync(file, to)
  const before = statSync(to).size
  const stripped = spawnSync('strip', ['--strip-unneeded', to], { encoding: 'utf8' })
  if (stripped.error?.code === 'ENOENT')
    console.log('binutils are not installed: node keeps its debugging symbols')
  else if (stripped.status !== 0) throw new Error(`cannot strip node: ${stripped.stderr}`)
  return { before, after: statSync(to).size }
}
