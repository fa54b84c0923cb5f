// The configuration of the daemon that this process is: read once, on the way into its instance (src/instance), and again
// whenever it changes, by then as the user it runs as, who may find that it can no longer be read. Read again, it is
// believed as little as the first time.
import { type ConfigWarning, warningOf } from '../config/problems.js'
import type { LoadedConfig } from '../config/secrets.js'
import { type OpenedConfig, openConfig } from '../config/source.js'
import { ShoalError } from '../core/error.js'
import type { RunsAs } from '../instance/drop.js'
import { type EnterOptions, enterInstance } from '../instance/enter.js'
import { glance } from '../instance/glance.js'
import { checkConfigFile } from '../instance/place.js'
import { type Instance, resolveInstance } from '../instance/resolve.js'

export interface SourcedConfig {
  readonly config: LoadedConfig
  readonly remarks: readonly ConfigWarning[]
}

/** What of an instance is settled when the process starts. */
const SETTLED = ['uid', 'gid', 'umask', 'nice'] as const

export class ConfigSource {
  readonly runsAs: RunsAs
  readonly #configFile: string
  readonly #instance: Instance
  readonly #storageFault: string | undefined
  #opened: OpenedConfig
  /** All that the configuration is read from, and the folder of its parts, to be looked at for changes. */
  files: readonly string[]

  /** Becomes the configuration's user, for good; see enterInstance. */
  static async enter(configFile: string, options?: EnterOptions): Promise<ConfigSource> {
    return new ConfigSource(configFile, await enterInstance(configFile, options))
  }

  private constructor(
    configFile: string,
    { instance, runsAs, opened, storageFault }: Awaited<ReturnType<typeof enterInstance>>,
  ) {
    this.#configFile = configFile
    this.#instance = instance
    this.#opened = opened
    this.#storageFault = storageFault
    this.runsAs = runsAs
    this.files = filesOf(opened)
  }

  /** What it was read from on the way in. */
  get opened(): OpenedConfig {
    return this.#opened
  }

  /** What was read on the way in. Throws as parseOpened and loadSecrets, and STORAGE_UNUSABLE. */
  async first(): Promise<SourcedConfig> {
    const loaded = await this.#load(this.#opened, this.#instance)
    if (this.#storageFault !== undefined) throw new ShoalError('STORAGE_UNUSABLE', this.#storageFault)
    return loaded
  }

  /**
   * Reads it again. Throws CONFIG_UNREADABLE, FILE_EXPOSED and what first() throws. What would have the daemon run as
   * somebody else is a warning, since that takes a restart.
   */
  async again(): Promise<{ readonly config: LoadedConfig; readonly warnings: readonly string[] }> {
    const opened = await openConfig(this.#configFile)
    const { holdsSecret } = glance(opened.text, opened.fileName)
    for (const file of opened.files)
      checkConfigFile(file, this.runsAs.uid, holdsSecret, this.runsAs.uid === 0)
    const instance = resolveInstance(opened.fileName, opened.text, undefined, undefined, opened.parts)
    const { config, remarks } = await this.#load(opened, instance)
    const warnings = remarks.filter(({ isNote }) => !isNote).map(({ text }) => text)
    const moved = SETTLED.filter((what) => instance[what] !== this.#instance[what])
    if (moved.length > 0) warnings.push(`the tags now say another ${moved.join(', ')}: needs a restart`)
    return { config, warnings }
  }

  async #load(opened: OpenedConfig, instance: Instance): Promise<SourcedConfig> {
    // Only now: whoever is refused need not wait for it, and no more than must be runs as root.
    const { loadSecrets, parseOpened, secretFiles } = await import('../config/secrets.js')
    const read = parseOpened(opened)
    const { config } = await loadSecrets(read.config)
    this.files = [...filesOf(opened), ...secretFiles(read.config)]
    const notes = instance.notes.map((note) => warningOf(this.#configFile, { ...note, isNote: true }))
    return {
      config: instance.bind === undefined ? config : boundTo(instance.bind, config),
      remarks: [...read.warnings, ...notes],
    }
  }
}

/** The tag is for whatever the file leaves open, as it was in the package of BitTorrent Sync. */
function boundTo(bind: string, config: LoadedConfig): LoadedConfig {
  const { web } = config
  const isWide = web?.host === '0.0.0.0' || web?.host === '::'
  return {
    ...config,
    listenHost: config.listenHost ?? bind,
    ...(web !== undefined && isWide && { web: { ...web, host: bind } }),
  }
}

function filesOf({ fileName }: OpenedConfig): string[] {
  return [fileName, `${fileName}.d`]
}
