// What a share remembers besides its index: small values by name, in a table of their own.
import type { WriterId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { ArchiveLedger } from '../../folder/archive-age.js'
import type { RootIdentity } from '../../folder/marker.js'
import { type Database, pathKey, type Table } from '../../store/tables.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'

type Addresses = Parameters<ShareSwarm['learn']>[0]

export class ShareMeta {
  readonly #table: Table<unknown>

  constructor(database: Database, prefix: string) {
    this.#table = database.table(`${prefix}meta`)
  }

  /** Where the share's root was last time (A5); undefined: never seen, or the index was deleted. */
  get root(): RootIdentity | undefined {
    return this.#table.get(key('root')) as RootIdentity | undefined
  }

  set root(identity: RootIdentity) {
    this.#table.put(key('root'), identity)
  }

  /** The text of the ignore rules that the index was last brought in line with. */
  get ignoreText(): string | undefined {
    return this.#table.get(key('ignore')) as string | undefined
  }

  set ignoreText(text: string) {
    this.#table.put(key('ignore'), text)
  }

  /** Whether the index was last brought in line with holding releases alone. */
  get followsReleases(): boolean {
    return this.#table.get(key('follows-releases')) === true
  }

  set followsReleases(follows: boolean) {
    if (follows) this.#table.put(key('follows-releases'), true)
    else if (this.followsReleases) this.#table.remove(key('follows-releases'))
  }

  /** The release that hooks were last told to be shown. */
  get shownRelease(): string | undefined {
    return this.#table.get(key('shown-release')) as string | undefined
  }

  set shownRelease(name: string) {
    this.#table.put(key('shown-release'), name)
  }

  /** Addresses of members, best first. */
  get addresses(): Addresses | undefined {
    return this.#table.get(key('addresses')) as Addresses | undefined
  }

  set addresses(addresses: Addresses) {
    this.#table.put(key('addresses'), addresses)
  }

  /** Since when the share is paused, milliseconds since 1970; undefined: it is not. */
  get pausedMs(): number | undefined {
    return this.#table.get(key('paused')) as number | undefined
  }

  set pausedMs(sinceMs: number | undefined) {
    if (sinceMs !== undefined) this.#table.put(key('paused'), sinceMs)
    else if (this.pausedMs !== undefined) this.#table.remove(key('paused'))
  }

  /** How long the archive's days have been left alone; undefined: never looked. */
  get archive(): ArchiveLedger | undefined {
    return this.#table.get(key('archive')) as ArchiveLedger | undefined
  }

  set archive(ledger: ArchiveLedger) {
    this.#table.put(key('archive'), ledger)
  }

  /** What was carried of metadata when the whole disk was looked at last, as texts to compare. */
  get dressing(): { readonly owners: string; readonly scope: string } | undefined {
    return this.#table.get(key('dressing')) as { owners: string; scope: string } | undefined
  }

  set dressing(dressing: { readonly owners: string; readonly scope: string }) {
    this.#table.put(key('dressing'), { ...dressing })
  }

  /** Whether a new epoch was taken (F4) and the whole disk not looked at since: peers have to be heard before it is. */
  get isNewEpoch(): boolean {
    return this.#table.get(key('new-epoch')) === true
  }

  set isNewEpoch(isNew: boolean) {
    if (isNew) this.#table.put(key('new-epoch'), true)
    else if (this.isNewEpoch) this.#table.remove(key('new-epoch'))
  }

  /** Whether a blind share's vault was there once. */
  get hasVault(): boolean {
    return this.#table.get(key('vault')) === true
  }

  set hasVault(has: boolean) {
    if (has) this.#table.put(key('vault'), true)
    else if (this.hasVault) this.#table.remove(key('vault'))
  }

  /** Whether something was lost from a blind share's vault that was not all back when it was looked at last. */
  get hasLosses(): boolean {
    return this.#table.get(key('losses')) === true
  }

  set hasLosses(has: boolean) {
    if (has) this.#table.put(key('losses'), true)
    else if (this.hasLosses) this.#table.remove(key('losses'))
  }

  /** Whether a writer of ours has said again what a lost feed had said (F4). */
  isReadopted(own: WriterId, lost: WriterId): boolean {
    return this.#table.get(key(`readopted-${own}-${lost}`)) === true
  }

  setReadopted(own: WriterId, lost: WriterId): void {
    this.#table.put(key(`readopted-${own}-${lost}`), true)
  }
}

function key(name: string): Buffer {
  return pathKey(name as RelPath)
}
