// The releases of one share: what a writer makes and orders (release-writer.ts), what a node that follows them shows
// (switcher.ts), what each tells the others of it, and the list for people.
import type { RelPath } from '../../core/path.js'
import {
  CURRENT_LINK,
  type Manifest,
  type ReleaseHold,
  SWITCH_FILE,
  type SwitchOrder,
  type SwitchWhen,
} from '../../core/release.js'
import { compareNames, MAX_RELEASES } from '../../core/releases-section.js'
import { ReleaseFiles } from './release-files.js'
import type { ReleaseParts } from './release-parts.js'
import { type CreateOptions, ReleaseWriter } from './release-writer.js'
import { Switcher, type SwitchListener } from './switcher.js'

/** One release as this node sees it. */
export interface ListedRelease {
  readonly name: string
  /** Undefined: it is not finished, or its manifest is not here yet. */
  readonly manifest: Manifest | undefined
  readonly hold: ReleaseHold
}

/** What a node says of releases. */
export interface ReleaseNode {
  readonly device: string
  readonly name: string
  /** Whether it holds releases alone and shows one. */
  readonly follows: boolean
  readonly isConnected: boolean
  readonly current: string | undefined
  readonly complete: readonly string[]
}

export interface ReleaseList {
  readonly order: SwitchOrder | undefined
  /** What this node waits for before it shows what it is to, or what is wrong, in words. */
  readonly waitsFor: string | undefined
  /** Oldest first, unfinished ones last. */
  readonly releases: readonly ListedRelease[]
  /** This device first. */
  readonly nodes: readonly ReleaseNode[]
}

export class Releases {
  readonly #parts: ReleaseParts
  readonly #files: ReleaseFiles
  readonly #switcher: Switcher
  readonly #writer: ReleaseWriter
  readonly #unsubscribe: () => void
  #said = ''

  constructor(parts: ReleaseParts) {
    this.#parts = parts
    this.#files = new ReleaseFiles(parts.context)
    this.#switcher = new Switcher(parts, this.#files)
    this.#writer = new ReleaseWriter(parts, this.#files, () => this.#shownAnywhere())
    this.#unsubscribe = parts.reports.subscribe(() => this.#switcher.look())
    this.#switcher.onSwitched(() => this.#report())
  }

  /** Whether `current` is a node's own matter here: the share has releases that are shown. */
  get areUsed(): boolean {
    return this.#parts.context.index.effective(SWITCH_FILE).fact.type === 'file'
  }

  /** Whether a path is of the release that is shown here, which stays as it is. */
  isPinned(path: RelPath): boolean {
    return this.#switcher.isPinned(path)
  }

  /** The release that this node shows. */
  get shown(): string | undefined {
    return this.#switcher.shown
  }

  /** Calls `listener` after each switch of this node, durable by then. Returns how to end that. */
  onSwitched(listener: SwitchListener): () => void {
    return this.#switcher.onSwitched(listener)
  }

  /** Something of the share, this disk or the members may be different. */
  changed(): void {
    const { context, isDiskKnown } = this.#parts
    if (!isDiskKnown() || context.haltReason() !== undefined) return
    this.#forgetCurrent()
    this.#switcher.look()
    this.#report()
  }

  create(options: CreateOptions): Promise<{ manifest: Manifest; removed: string[] }> {
    return this.#writer.create(options)
  }

  switchTo(name: string, when: SwitchWhen): Promise<SwitchOrder> {
    return this.#writer.switchTo(name, when)
  }

  rollback(): Promise<SwitchOrder> {
    return this.#writer.rollback()
  }

  remove(name: string): Promise<void> {
    return this.#writer.remove(name)
  }

  list(): ReleaseList {
    const known = this.#files.manifests().map((manifest): ListedRelease => {
      return { name: manifest.name, manifest, hold: this.#files.hold(manifest.name) ?? 'partial' }
    })
    const unfinished = this.#files.unfinished().map((name): ListedRelease => {
      return { name, manifest: undefined, hold: 'partial' }
    })
    const { follows } = this.#parts
    return {
      order: this.#files.order(),
      waitsFor: follows ? this.#switcher.waitsFor : undefined,
      releases: [...known, ...unfinished],
      nodes: [this.#self(), ...this.#others()],
    }
  }

  stop(): void {
    this.#unsubscribe()
    this.#switcher.stop()
  }

  #self(): ReleaseNode {
    const { device, deviceName: name, follows } = this.#parts
    return { device, name, follows, isConnected: true, current: this.shown, complete: this.#complete() }
  }

  #others(): ReleaseNode[] {
    const { members, isConnected, reports } = this.#parts
    return members().map(({ state }) => {
      const said = reports.of(state.device)?.report.releases
      return {
        device: state.device,
        name: state.name,
        follows: state.scope === 'releases',
        isConnected: isConnected(state.device),
        current: said?.current,
        complete: said?.complete ?? [],
      }
    })
  }

  #complete(): string[] {
    const names = this.#files.manifests().map(({ name }) => name)
    return names.filter((name) => this.#files.hold(name) === 'complete')
  }

  #shownAnywhere(): ReadonlySet<string> {
    return new Set([this.#self(), ...this.#others()].flatMap(({ current }) => current ?? []))
  }

  /** Tells the others what is here, if that is news. */
  #report(): void {
    const complete = this.#complete().slice(-MAX_RELEASES).sort(compareNames)
    const current = this.shown
    const text = JSON.stringify([current, complete])
    if (text === this.#said) return
    this.#said = text
    const isSaid = current !== undefined || complete.length > 0
    this.#parts.reports.setOwn('releases', isSaid ? { current, complete } : undefined)
  }

  /** What was noted of `current` before the share came to have releases is no drift any more. */
  #forgetCurrent(): void {
    const { index } = this.#parts.context
    if (index.disk(CURRENT_LINK) === undefined || !this.#parts.context.isIgnored(CURRENT_LINK, false)) return
    if (index.effective(CURRENT_LINK).fact.type !== 'absent') return
    index.transaction(() => index.forgetDisk(CURRENT_LINK))
  }
}
