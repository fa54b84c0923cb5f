// What the native files ask of the system's libraries, as dpkg-shlibdeps (dpkg-dev) reads it off them, and the one request
// that is taken out.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * rocksdb-native is linked against it and uses none of its symbols. A minimal Debian does not have it, and the package
 * is to install there without a network. dpkg-shlibdeps says whether that is still so.
 */
const UNUSED = 'libatomic.so.1'

/** What the native files need of the system, as Depends has it. Throws where dpkg-dev is not installed. */
export function sharedLibraries(files) {
  const first = analyse(files)
  const useless = files.filter((file) =>
    first.warnings.includes(`${file} should not be linked against ${UNUSED} `),
  )
  if (useless.length === 0) return first.depends
  run('patchelf', ['--remove-needed', UNUSED, ...useless], 'patchelf')
  return analyse(files).depends
}

function analyse(files) {
  const folder = mkdtempSync(join(tmpdir(), 'shoal-shlibs-'))
  try {
    mkdirSync(join(folder, 'debian'))
    writeFileSync(join(folder, 'debian/control'), 'Source: shoal\n\nPackage: shoal\nArchitecture: any\n')
    const arguments_ = ['-O', '--warnings=7', '--ignore-missing-info', ...files.map((file) => `-e${file}`)]
    const { stdout, stderr } = run('dpkg-shlibdeps', arguments_, 'dpkg-dev', folder)
    const depends = /^shlibs:Depends=(.*)$/m.exec(stdout)?.[1]
    if (depends === undefined) throw new Error(`cannot build: dpkg-shlibdeps found nothing: ${stderr}`)
    return { depends: depends.split(', '), warnings: stderr }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function run(command, arguments_, packageName, cwd) {
  const result = spawnSync(command, arguments_, { cwd, encoding: 'utf8' })
  if (result.error?.code === 'ENOENT')
    throw new Error(`cannot build: ${command} is missing; run: apt install ${packageName}`)
  if (result.status !== 0) throw new Error(`cannot build: ${command}: ${result.stderr}`)
  return result
}
