// The configurations of a folder, each with its name and what is wrong with it. A wrong one is a value here and never an
// error: it must not stop the others. What two of them share and may not is told of both, and neither is to be started.
// The daemons read their files again by themselves, as their own users; this is only to refuse in time and to say why.
// Secrets are not looked at: no key is decoded here, where it may be root that looks.
import fs from 'node:fs/promises'
import path from 'node:path'
import { configCollisions, type InstanceConfig, linkedCollisions } from '../config/collisions.js'
import type { Config, ParsedConfig } from '../config/config.js'
import { parseOpened } from '../config/secrets.js'
import { type OpenedConfig, openConfig } from '../config/source.js'
import { ShoalError, toShoalError } from '../core/error.js'
import { redactSecrets } from '../core/secret-redact.js'
import { parseInstanceName } from '../instance/name.js'
import { checkConfigFile } from '../instance/place.js'
import { resolveInstance } from '../instance/resolve.js'
import { withoutSecrets } from './blank.js'

export interface FoundConfig {
  /** Absolute path of NAME.conf, also where only NAME.conf.d is there. */
  readonly file: string
  readonly name: string
  /** Whom its name and tags say that it runs as. */
  readonly user?: string
  /** The address that a tag has it listen on. */
  readonly bind?: string
  /** Changes when a file does that the configuration is read from. */
  readonly print: string
  /** Absolute; absent where the configuration is wrong. */
  readonly storagePath?: string
  /** Why it is not to be started; lines of text. */
  readonly fault?: string
}

/** With what is needed only until all are compared. */
interface ReadConfig extends FoundConfig {
  /** Only root could have written it. */
  readonly isRoots?: boolean
  readonly config?: Config
  readonly positionOf?: ParsedConfig['positionOf']
}

const CONFIG = /^[^.].*\.conf(\.d)?$/s

/** All configurations of a folder that `wants` takes by name, ordered by name. Throws CONFIG_UNREADABLE for the folder. */
export async function findConfigs(
  folder: string,
  wants: (name: string) => boolean,
): Promise<{ wanted: FoundConfig[]; others: FoundConfig[] }> {
  const files = await configFiles(folder)
  const wanted: ReadConfig[] = []
  const others: FoundConfig[] = []
  for (const file of files) {
    const parsed = parseInstanceName(file)
    // What its name begins with is what a person will call it.
    const name = parsed.type === 'ok' ? parsed.name.name : (path.basename(file, '.conf').split('.')[0] ?? '')
    const user = parsed.type === 'ok' ? parsed.name.user : undefined
    const base = { file, name, ...(user !== undefined && { user }), print: await printOf(file) }
    if (!wants(name)) others.push(base)
    else if (parsed.type === 'failed') wanted.push({ ...base, fault: parsed.message })
    else wanted.push({ ...base, ...(await read(file)) })
  }
  return { wanted: await withCollisions(wanted), others }
}

/** What tells whether a configuration changed: the identities, sizes and times of its files. */
export async function printOf(file: string): Promise<string> {
  // What cannot be looked at is a state like others; reading the configuration will say what is wrong.
  const parts = await fs.readdir(`${file}.d`).catch(() => [])
  const files = [file, ...parts.sort().map((part) => path.join(`${file}.d`, part))]
  const prints = await Promise.all(
    files.map(async (each) => {
      const stat = await fs.stat(each).catch(() => undefined)
      return stat === undefined ? '-' : `${stat.dev}:${stat.ino}:${stat.size}:${stat.mtimeMs}:${stat.ctimeMs}`
    }),
  )
  return prints.join(' ')
}

async function configFiles(folder: string): Promise<string[]> {
  const entries = await fs.readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    const why = (cause as Error).message
    throw new ShoalError('CONFIG_UNREADABLE', `cannot read the folder ${folder}: ${why}`, { cause })
  })
  const names = entries.flatMap((entry) => {
    if (!CONFIG.test(entry.name)) return []
    if (entry.name.endsWith('.d')) return entry.isDirectory() ? [entry.name.slice(0, -'.d'.length)] : []
    return entry.isDirectory() ? [] : [entry.name]
  })
  return [...new Set(names)].sort().map((name) => path.join(folder, name))
}

async function read(file: string): Promise<Partial<ReadConfig>> {
  try {
    const opened = await openConfig(file)
    const { user, userFrom, bind } = resolveInstance(
      opened.fileName,
      opened.text,
      undefined,
      undefined,
      opened.parts,
    )
    const { config, positionOf } = parseOpened({ ...opened, text: withoutSecrets(opened.text) })
    const { storagePath } = config
    return {
      config,
      positionOf,
      isRoots: isRoots(opened),
      storagePath,
      ...(userFrom !== 'starter' && { user }),
      ...(bind !== undefined && { bind }),
    }
  } catch (thrown) {
    return { fault: redactSecrets(toShoalError(thrown).message) }
  }
}

/** Who else could have written it says its daemon, as its user; here it only has no say about others. */
function isRoots({ files }: OpenedConfig): boolean {
  try {
    return files.every((file) => checkConfigFile(file, 0, false, true).isRoots)
  } catch {
    // Somebody else could have written it, or it has gone.
    return false
  }
}

/**
 * Both of two that collide are at fault: which one is meant cannot be told. But where one is root's and the other a
 * user's, root's runs: no user is to keep it from that by claiming what is root's to give.
 */
async function withCollisions(found: readonly ReadConfig[]): Promise<FoundConfig[]> {
  const readable = found.flatMap((each, at): { at: number; instance: InstanceConfig }[] =>
    each.config === undefined
      ? []
      : [
          {
            at,
            instance: {
              name: each.name,
              config: each.config,
              ...(each.bind !== undefined && { bind: each.bind }),
              ...(each.positionOf !== undefined && { positionOf: each.positionOf }),
            },
          },
        ],
  )
  const instances = readable.map(({ instance }) => instance)
  const collisions = [...configCollisions(instances), ...(await linkedCollisions(instances))]
  const faults = new Map<number, string[]>()
  for (const { first, second, text } of collisions)
    for (const [index, other] of [
      [first, second],
      [second, first],
    ] as const) {
      const { at } = readable[index]!
      if (found[at]!.isRoots === true && found[readable[other]!.at]!.isRoots !== true) continue
      faults.set(at, [...(faults.get(at) ?? []), text])
    }
  return found.map(({ config: _config, positionOf: _positionOf, isRoots: _isRoots, ...each }, at) => {
    const texts = faults.get(at)
    return texts === undefined ? each : { ...each, fault: [...new Set(texts)].join('\n') }
  })
}
