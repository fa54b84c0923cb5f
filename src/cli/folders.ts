// `shoal add` and `shoal remove`: what they say, and how the secret comes in.
import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { readConfig } from '../config/secrets.js'
import { controlClient } from '../control/client.js'
import type { CliIo } from './io.js'
import { secretInput } from './secret-input.js'
import { formatJson, printable } from './text.js'

export interface AddOptions {
  readonly secretFile?: string
  readonly knownHost?: readonly string[]
  readonly searchLan: boolean
  readonly json?: boolean
}

const INTERRUPTED = 130

/** Has a daemon serve one more folder; the exit code: 130 after Ctrl-C. */
export async function addCommand(
  io: CliIo,
  configFile: string,
  dir: string,
  { secretFile, knownHost, searchLan, json }: AddOptions,
): Promise<number> {
  const { config } = await readConfig(configFile)
  const client = controlClient(config.storagePath)
  // A secret that is typed for a daemon that does not run would be for nothing.
  await client.folders()
  const secret = await secretInput(io, secretFile, 'secret (not shown): ')
  if (secret === undefined) return INTERRUPTED
  const added = await client.addShare({
    dir: resolve(dir),
    secret,
    knownHosts: knownHost,
    // Not said is as the configuration's folder_defaults have it.
    searchLan: searchLan ? undefined : false,
  })
  io.out(json === true ? formatJson(added) : `added ${printable(added.dir)}\n`)
  return 0
}

/** Has a daemon serve a folder no longer that was added. */
export async function removeCommand(
  io: CliIo,
  configFile: string,
  dir: string,
  { json }: { readonly json?: boolean },
): Promise<number> {
  const { config } = await readConfig(configFile)
  const client = controlClient(config.storagePath)
  const named = resolve(dir)
  const folders = await client.folders()
  // It was added with links followed; one that is gone can only be meant as it is written.
  const meant = folders.some((folder) => folder.dir === named) ? named : realOf(named)
  await client.removeShare({ dir: meant })
  io.out(json === true ? formatJson({ removed: meant }) : `removed ${printable(meant)}; its files stay\n`)
  return 0
}

function realOf(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    // The daemon says that it does not know it.
    return path
  }
}
