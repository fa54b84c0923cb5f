// The built command as tests start it: node itself, without the shell of bin/shoal, and with the same code. What differs is
// when V8 compiles a function once more, optimised: a third of what a daemon costs that lives for seconds goes into that
// (docs/decisions/0071-short-lives.md). A daemon with much to do gets the launcher's own setting, which suits it better.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { repository } from './repository.js'

/** What a process is started for: seconds, or so much work that functions are worth compiling. */
export type Life = 'short' | 'busy'

/** The built command's file. */
export const MAIN: string = fileURLToPath(new URL('dist/program/cli/main.js', repository))

const FLAG = '--interrupt-budget='
/** Ten times the launcher's. With a third of it a start costs a tenth more; more than this gains nothing. */
const SHORT_BUDGET = 6_000_000
const LAUNCHER_FLAG = flagOfLauncher(process.version)

/** What node is given to run `shoal` with these arguments. */
export function commandArgs(args: readonly string[], life: Life = 'short'): string[] {
  // A release that does not know the flag would not start.
  if (LAUNCHER_FLAG === undefined) return [MAIN, ...args]
  return [life === 'busy' ? LAUNCHER_FLAG : `${FLAG}${SHORT_BUDGET}`, MAIN, ...args]
}

/** The flag as bin/shoal gives it to this release of node; undefined: it does not. */
function flagOfLauncher(version: string): string | undefined {
  const launcher = readFileSync(new URL('bin/shoal', repository), 'utf8')
  const release = version.replace(/\..*$/, '.*')
  const line = launcher.split('\n').find((text) => text.includes('flags=') && text.includes(release))
  return line?.split(/[\s']/).find((word) => word.startsWith(FLAG))
}
