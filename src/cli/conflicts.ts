// shoal conflicts: both sides of every double edit, and a person's word on which is to stay.
import type { ConflictReport, Keep, ResolveReport, VersionReport } from '../control/schema-conflicts.js'
import { ShoalError, toShoalError } from '../core/error.js'
import { connect, type JsonOption } from './daemon-commands.js'
import { EXIT } from './exit.js'
import type { CliIo } from './io.js'
import { showEach } from './progress/show.js'
import { sharePathOf } from './share-paths.js'
import { formatBytes, formatJson, formatTable, printable, shortTime } from './text.js'

export interface ConflictsOptions extends JsonOption {
  readonly keep?: Keep
  readonly all?: boolean
}

/** Lists the conflicts, all or those of some paths; with `keep`, ends them. The exit code. */
export async function conflictsCommand(
  io: CliIo,
  configFile: string,
  paths: readonly string[],
  { keep, all, json }: ConflictsOptions,
): Promise<number> {
  if (keep === undefined && all === true)
    throw new ShoalError('USAGE', '--all goes with --keep: without it all are listed anyway')
  if (keep !== undefined && (all === true) === paths.length > 0)
    throw new ShoalError('USAGE', '--keep needs the paths that it is about, or --all')
  const { client } = await connect(configFile)
  const conflicts = await client.conflicts()
  const chosen = paths.length === 0 ? conflicts : await chosenOf(conflicts, paths, () => client.status())
  if (keep === undefined) {
    io.out(json === true ? formatJson(chosen) : formatConflicts(chosen))
    return 0
  }
  const done: ResolveReport[] = []
  let failures = 0
  await showEach(io, 'conflicts --keep', 'conflict', chosen, async ({ share, copy, id }) => {
    try {
      const report = await client.resolveConflict({ share, copy, keep, id })
      done.push(report)
      if (json !== true) io.out(formatResolved(report))
    } catch (thrown) {
      failures++
      io.err(`${printable(toShoalError(thrown).message)}\n`)
    }
  })
  if (json === true) io.out(formatJson(done))
  else if (chosen.length === 0) io.out('no conflicts\n')
  return failures > 0 ? EXIT.no : EXIT.done
}

/** Both versions of each, one below the other; a block for each folder. */
export function formatConflicts(conflicts: readonly ConflictReport[]): string {
  if (conflicts.length === 0) return 'no conflicts\n'
  const dirs = [...new Set(conflicts.map(({ dir }) => dir))]
  return dirs
    .map((dir) => {
      const rows = conflicts
        .filter((each) => each.dir === dir)
        .flatMap(({ path, copy, kept, copyVersion }) => [
          ['this', ...cellsOf(kept), path],
          ['other', ...cellsOf(copyVersion), copy],
        ])
      return `${printable(dir)}\n${formatTable([['', 'SIZE', 'CHANGED', 'BY', 'PATH'], ...rows], '  ')}`
    })
    .join('\n')
}

function cellsOf(version: VersionReport | null): string[] {
  if (version === null) return ['-', '-', '-']
  const { type, size, mtime, name, target } = version
  const what = type === 'file' ? formatBytes(size) : type === 'symlink' ? `-> ${target}` : type
  return [what, shortTime(mtime), name ?? '-']
}

function formatResolved({ path, copy, keep, at, archived }: ResolveReport): string {
  const kept =
    keep === 'this'
      ? `${path} stays`
      : keep === 'other'
        ? `${path} is what ${copy} was`
        : `${copy} is ${at} now`
  const gone = archived === null ? '' : `; the other version is ${archived}`
  return `${printable(kept + gone)}\n`
}

/** By the path that both edited, or by the copy. NOT_FOUND, USAGE. */
async function chosenOf(
  conflicts: readonly ConflictReport[],
  paths: readonly string[],
  status: () => Promise<{ readonly shares: readonly { readonly dir: string }[] }>,
): Promise<ConflictReport[]> {
  const dirs = (await status()).shares.map(({ dir }) => dir)
  const chosen = paths.flatMap((text) => {
    const isAt = (each: ConflictReport, path: string): boolean => each.path === path || each.copy === path
    const holders = conflicts.filter((each) => isAt(each, text)).map(({ share }) => share)
    const { share, path } = sharePathOf(dirs, text, [...new Set(holders)])
    const found = conflicts.filter((each) => each.share === share && isAt(each, path))
    if (found.length === 0) throw new ShoalError('NOT_FOUND', `there is no conflict at ${printable(text)}`)
    return found
  })
  return [...new Set(chosen)]
}
