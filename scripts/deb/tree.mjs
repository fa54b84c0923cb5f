// The package as a folder on disk, and the folder as a .deb: modes and times are set here and nowhere else, so that the
// same sources give the same bytes whoever builds them, with whatever umask.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'

/** Writes a text at a path of the system that is packaged ("/usr/..."). */
export function put(root, path, content) {
  const file = join(root, path)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, content)
}

/** The same, compressed, without a time in it. */
export function putGzip(root, path, content) {
  put(root, path, gzipSync(content, { level: 9 }))
}

/** Every entry below a folder, itself first, parents before children, in the order of their names. */
function everything(folder) {
  return [
    folder,
    ...readdirSync(folder, { withFileTypes: true })
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(folder, entry.name)
        return entry.isDirectory() ? everything(path) : [path]
      }),
  ]
}

/** Sizes as du counts them on a usual disk. */
export function installedBytes(root) {
  return everything(root).reduce((sum, path) => {
    const stat = lstatSync(path)
    return sum + (stat.isFile() ? Math.ceil(stat.size / 4096) * 4096 : 4096)
  }, 0)
}

/** The control file that lets debsums(1) say which files were changed. */
export function md5sums(root) {
  return everything(root)
    .filter((path) => lstatSync(path).isFile())
    .map(
      (path) =>
        `${createHash('md5').update(readFileSync(path)).digest('hex')}  ${path.slice(root.length + 1)}\n`,
    )
    .join('')
}

/** `programs` are the paths, from "/", of files to be run. */
export function settle(root, programs, date) {
  // Children first: a folder's time changes with its entries.
  for (const path of everything(root).reverse()) {
    const stat = lstatSync(path)
    if (!stat.isSymbolicLink())
      chmodSync(path, stat.isDirectory() || programs.has(path.slice(root.length)) ? 0o755 : 0o644)
    lutimesSync(path, date, date)
  }
}

/** `compression`: xz, zstd, gzip or none. */
export function pack(root, file, compression, date) {
  const { status, error, stderr } = spawnSync(
    'dpkg-deb',
    ['--root-owner-group', `-Z${compression}`, '--build', root, file],
    { encoding: 'utf8', env: { ...process.env, SOURCE_DATE_EPOCH: String(date.getTime() / 1000) } },
  )
  if (error !== undefined) throw new Error(`cannot build: dpkg-deb: ${error.message}`)
  if (status !== 0) throw new Error(`cannot build: dpkg-deb: ${stderr}`)
}
