// The built command as tests start it: node itself, without the shell of bin/shoal, with the same code and the same flags, so that what
// was compiled at the build is of use (docs/decisions/0074-bundle.md).
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { repository } from './repository.js'

/** The built command's file. */
export const MAIN: string = fileURLToPath(new URL('dist/program/cli/main.js', repository))

/** What bin/shoal gives to node itself. */
export const FLAGS: readonly string[] = flagsOfLauncher(process.version)

/** What node is given to run `shoal` with these arguments. */
export function commandArgs(args: readonly string[]): string[] {
  return [...FLAGS, MAIN, ...args]
}

/** The flags that bin/shoal gives to this release of node: none if it knows none for it. */
function flagsOfLauncher(version: string): string[] {
  const launcher = readFileSync(new URL('bin/shoal', repository), 'utf8')
  const release = version.replace(/\..*$/, '.*')
  const line = launcher.split('\n').find((text) => text.includes('flags=') && text.includes(release))
  return line?.match(/--[^\s']+/g) ?? []
}
