// The instant that stands in everything made from the sources, so that the same sources give the same bytes.
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'

const root = new URL('../..', import.meta.url)

/** SOURCE_DATE_EPOCH if set, else when the last commit was made, else (outside a clone) when package.json was written. */
export function sourceDate() {
  const { SOURCE_DATE_EPOCH } = process.env
  if (SOURCE_DATE_EPOCH !== undefined && /^\d+$/.test(SOURCE_DATE_EPOCH))
    return new Date(Number(SOURCE_DATE_EPOCH) * 1000)
  const { status, stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' })
  if (status === 0 && /^\d+\n$/.test(stdout)) return new Date(Number(stdout) * 1000)
  return statSync(new URL('package.json', root)).mtime
}
