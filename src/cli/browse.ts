// `shoal browse`: into a vault without restoring it.
import { ShoalError } from '../core/error.js'
import type { PastEntry, PastVersionReport } from '../daemon/restore/report.js'
import { EXIT } from './exit.js'
import { untilInterrupted } from './interrupt.js'
import type { CliIo } from './io.js'
import { secretOf, sharePath } from './restore.js'
import { formatBytes, formatJson, formatTable, printable, shortTime } from './text.js'

export interface BrowseCommandOptions {
  readonly secretFile?: string
  /** Milliseconds since 1970. */
  readonly at?: number
  readonly recursive?: boolean
  readonly limit: number
  readonly json?: boolean
}

/** The exit code: 1 if a part of the vault could not be read. */
export async function browseCommand(
  io: CliIo,
  vault: string,
  what: string,
  path: string | undefined,
  options: BrowseCommandOptions,
): Promise<number> {
  const at = path === undefined ? '' : sharePath(path)
  if (what === 'cat' && at === '') throw new ShoalError('USAGE', 'name the file to print')
  const secret = await secretOf(io, options.secretFile)
  if (secret === undefined) return EXIT.interrupted
  const { browse } = await import('../daemon/restore/browse.js')
  const read = await untilInterrupted((signal) =>
    browse({ secret, vault, atMs: options.at, signal }, async (past) => {
      if (what === 'cat') {
        if (at !== '') for await (const bytes of past.cat(at)) await printBytes(io, bytes)
      } else if (what === 'list') {
        const entries = await past.list(at, options.recursive === true)
        io.out(options.json === true ? formatJson(entries) : formatEntries(entries))
      } else {
        const versions = await past.versions(at, options.limit)
        io.out(options.json === true ? formatJson(versions) : formatVersions(versions))
      }
      return { faults: past.faults, notes: past.notes }
    }),
  )
  if (read === undefined) return EXIT.interrupted
  const { faults, notes } = read
  for (const note of notes) io.err(`note: ${printable(note)}\n`)
  for (const fault of faults) io.err(`not all could be read: ${printable(fault)}\n`)
  return faults.length === 0 ? EXIT.done : EXIT.no
}

async function printBytes(io: CliIo, bytes: Buffer): Promise<void> {
  if (io.write === undefined) io.out(bytes.toString())
  else await io.write(bytes)
}

function formatEntries(entries: readonly PastEntry[]): string {
  if (entries.length === 0) return 'nothing is there\n'
  return formatTable(
    entries.map(({ path, type, size, mtime, mode, target }) => [
      type === 'file' ? '-' : type === 'directory' ? 'd' : 'l',
      mode === null ? '' : mode.toString(8).padStart(4, '0'),
      type === 'file' ? formatBytes(size) : '',
      shortTime(mtime),
      target === null ? path : `${path} -> ${target}`,
    ]),
  )
}

function formatVersions(versions: readonly PastVersionReport[]): string {
  if (versions.length === 0) return 'nothing was written\n'
  return formatTable([
    ['PUBLISHED', 'BY', 'CHANGED', 'WHAT', 'PATH'],
    ...versions.map(({ at, by, mtime, type, size, path }) => [
      shortTime(at),
      by,
      type === 'deleted' ? '-' : shortTime(mtime),
      type === 'file' ? formatBytes(size) : type,
      path,
    ]),
  ])
}
