// Other programs beside which a benchmark measures, and which look at what came of it.
import { spawnSync } from 'node:child_process'

/** Seconds that a command takes; undefined, with a word, if it is not installed. */
export function timeCommand(command: readonly string[]): number | undefined {
  const start = performance.now()
  const { error, status } = spawnSync(command[0]!, command.slice(1), { stdio: 'ignore' })
  if (error !== undefined) {
    console.log(
      `${command[0]} is not installed: no comparison with it (Debian: apt-get install ${command[0]})`,
    )
    return undefined
  }
  if (status !== 0) throw new Error(`${command.join(' ')} failed with ${status}`)
  return (performance.now() - start) / 1000
}

/** Throws if two trees differ in names or content; `.shoal` is left out. */
export function compareTrees(a: string, b: string): void {
  const { status, stdout } = spawnSync('diff', ['-rq', '--no-dereference', '-x', '.shoal', a, b], {
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`the trees differ:\n${stdout.slice(0, 2000)}`)
}
