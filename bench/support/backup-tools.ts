// Other programs that back a folder up, each in one of its ways: encrypted, with and without compression.
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { diskMiB, measureCommand, type Usage } from './usage.js'

export interface BackupFigures {
  readonly backup: Usage
  readonly restore: Usage
  /** Of what has been stored. */
  readonly diskMiB: number
  /** Of what the program keeps for itself beside that. */
  readonly besideMiB: number
}

export interface BackupTool {
  readonly name: string
  readonly isCompressed: boolean
  /** Why it cannot be had here. */
  obstacle(): string | undefined
  /** Stores the source in a repository within `folder`, which is empty, and restores it into `target`, which is there. */
  run(folder: string, source: string, target: string): Promise<BackupFigures>
}

const PASSWORD = 'for the benchmark alone'

export const BACKUP_TOOLS: readonly BackupTool[] = [
  ...(['off', 'auto'] as const).map((compression) => ({
    name: `restic ${compression}`,
    isCompressed: compression !== 'off',
    obstacle: () => missing('restic', 'restic') ?? tooOld(),
    run: (folder: string, source: string, target: string) =>
      measured(folder, source, target, {
        environment: {
          RESTIC_REPOSITORY: path.join(folder, 'repository'),
          RESTIC_PASSWORD: PASSWORD,
          RESTIC_CACHE_DIR: path.join(folder, 'beside'),
        },
        init: ['restic', 'init'],
        backup: ['restic', 'backup', '--quiet', '--compression', compression, '.'],
        restore: ['restic', 'restore', 'latest', '--quiet', '--target', '.'],
      }),
  })),
  ...(['none', 'lz4'] as const).map((compression) => ({
    name: `borg ${compression}`,
    isCompressed: compression !== 'none',
    obstacle: () => missing('borg', 'borgbackup'),
    run: (folder: string, source: string, target: string) =>
      measured(folder, source, target, {
        environment: {
          BORG_REPO: path.join(folder, 'repository'),
          BORG_PASSPHRASE: PASSWORD,
          BORG_BASE_DIR: path.join(folder, 'beside'),
        },
        init: ['borg', 'init', '--encryption', 'repokey-blake2'],
        backup: ['borg', 'create', '--compression', compression, '::one', '.'],
        restore: ['borg', 'extract', '::one'],
      }),
  })),
]

interface Commands {
  readonly environment: Readonly<Record<string, string>>
  readonly init: readonly string[]
  /** Run in the folder to store. */
  readonly backup: readonly string[]
  /** Run in the folder to restore into. */
  readonly restore: readonly string[]
}

async function measured(
  folder: string,
  source: string,
  target: string,
  { environment, init, backup, restore }: Commands,
): Promise<BackupFigures> {
  const env = { ...process.env, ...environment }
  const beside = path.join(folder, 'beside')
  fs.mkdirSync(beside)
  await measureCommand(init, { env })
  settleDisk()
  const stored = await measureCommand(backup, { env, cwd: source })
  const figures = { diskMiB: diskMiB(path.join(folder, 'repository')), besideMiB: diskMiB(beside) }
  settleDisk()
  return { backup: stored, restore: await measureCommand(restore, { env, cwd: target }), ...figures }
}

/** What was written before is not written while something else is measured. */
export function settleDisk(): void {
  spawnSync('sync', { stdio: 'ignore' })
}

function missing(command: string, packageName: string): string | undefined {
  const { error } = spawnSync(command, ['--help'], { stdio: 'ignore' })
  return error === undefined
    ? undefined
    : `${command} is not installed (Debian's package ${packageName}; npm run bench:tools)`
}

function tooOld(): string | undefined {
  const { stdout } = spawnSync('restic', ['backup', '--help'], { encoding: 'utf8' })
  return stdout.includes('--compression') ? undefined : 'this restic is older than 0.14 and cannot compress'
}
