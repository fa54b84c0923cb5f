import { formatHead, headTag } from '../../core/head.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { Secret } from '../../core/secret.js'
import type { Holding } from '../../core/state.js'
import type { Exchange } from '../../exchange/exchange.js'
import type { Hooks } from '../../hooks/hooks.js'
import { openView } from '../../store/feeds.js'
import type { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { BlindMembers } from '../blind/blind-members.js'
import type { ShareCopies } from '../copies/share-copies.js'
import type { Releases } from '../release/releases.js'
import type { Scrub } from '../scrub/scrub.js'
import type { Applier } from './applier.js'
import { type LogQuery, readLog } from './feed-log.js'
import type { Inquiries } from './inquiries.js'
import type { LocalDrift } from './local-drift.js'
import type { Members } from './members.js'
import type { ProblemBook } from './problems.js'
import type { Reports } from './reports.js'
import type { ScanProgress } from './scan-count.js'
import type { FilePieces } from './serving.js'
import type { ShareContents } from './share-contents.js'
import { standingOf } from './share-inquiries.js'
import type { ShareObserver } from './share-observer.js'
import type { ShareHooks, ShareOptions, ShareSettings, ShareState } from './share-options.js'
import { ShareParts } from './share-parts.js'
import type { SharePeers } from './share-peers.js'

export class Share {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly exchange: Exchange
  readonly members: Members
  readonly blindMembers: BlindMembers
  readonly inquiries: Inquiries
  readonly reports: Reports
  /** What is done about a reader's own changes. */
  readonly drift: LocalDrift
  readonly hooks: Hooks
  readonly releases: Releases
  readonly observer: ShareObserver
  readonly contents: ShareContents
  /** What is served to peers. */
  readonly pieces: FilePieces
  /** Looking for damage on this disk. */
  readonly scrub: Scrub
  /** How many devices hold what. */
  readonly copies: ShareCopies
  readonly #parts: ShareParts

  /** `onFatal`: something that should not happen has ended it. */
  constructor(options: ShareOptions, onFatal: (thrown: unknown) => void) {
    this.#parts = new ShareParts(options, this, onFatal)
    this.index = this.#parts.index
    this.problems = this.#parts.problems
    this.exchange = this.#parts.exchange
    this.members = this.#parts.members
    this.blindMembers = this.#parts.blindMembers
    this.inquiries = this.#parts.inquiries
    this.reports = this.#parts.reports
    this.drift = this.#parts.drift
    this.hooks = this.#parts.hooks
    this.releases = this.#parts.releases
    this.observer = this.#parts.observer
    this.contents = this.#parts.contents
    this.scrub = this.#parts.scrub
    this.pieces = this.#parts.pieces
    this.copies = this.#parts.copies
  }

  /** Of this share; told on an explicit call alone. */
  get secret(): Secret {
    return this.#parts.options.secret
  }

  get dir(): string {
    return this.#parts.options.dir
  }

  get shareId(): ShareId {
    return this.#parts.options.keys.shareId
  }

  get grade(): 'write' | 'read' {
    return this.#parts.options.keys.grade === 'write' ? 'write' : 'read'
  }

  /** Whether the whole folder was looked at, and what was found published, since the start. */
  get hasScanned(): boolean {
    return this.#parts.scanner.hasScanned
  }

  get haltReason(): string | undefined {
    return this.#parts.halted
  }

  get state(): ShareState {
    if (this.#parts.halted !== undefined) return 'halted'
    if (this.#parts.peers.pausedMs !== undefined) return 'paused'
    if (this.#parts.scanner.isScanningAll) return 'scanning'
    // Who knows of no writer lacks nothing that it knows of. The first one to write knows itself.
    if (this.grade === 'read' && this.index.feeds.all().length === 0) return 'syncing'
    const isSettling = this.#parts.feeds.mayPublish && this.index.conflicts.unsettled.size > 0
    return this.index.counts.needFiles > 0 || this.#parts.applier.isBusy || isSettling ? 'syncing' : 'idle'
  }

  /** Where this device stands, for those who ask (inquiries.ts). */
  get standing(): Standing {
    const { state, problems } = this
    return standingOf({ state, problems, scanner: this.#parts.scanner, feeds: this.#parts.feeds })
  }

  get scanProgress(): ScanProgress | undefined {
    return this.#parts.scanner.progress
  }

  get peers(): readonly SharePeer[] {
    return [...this.#parts.peers.connected]
  }

  /** Opens the feeds, reads the own one's tail back, and starts looking at the disk. */
  async start(): Promise<void> {
    this.#parts.loadIgnoreRules()
    this.drift.start(this.index)
    this.observer.start()
    await this.#parts.carried.findSupport(this.#parts.halted !== undefined)
    await this.#parts.feeds.start()
    this.#parts.watcher.start()
    this.#parts.rescanTimer.every(this.#parts.settings.rescanIntervalMs)
    if (this.#parts.halted === undefined && (this.#parts.isBehindDisk || this.#parts.meta.isNewEpoch)) {
      this.#parts.scanner.hold()
      void this.#parts.hearing.listen().finally(() => this.#parts.scanner.letGo())
    }
    this.#parts.scanner.markDirty([''])
    this.#parts.news.tellSoon()
    this.#parts.applier.wake()
    this.#parts.keeper.start()
    this.scrub.start()
    this.copies.start()
    this.#parts.noteShown()
    this.hooks.start()
  }

  /** New settings, from now on. */
  adjust(settings: ShareSettings): void {
    const before = this.#parts.settings
    this.#parts.settings = settings
    if (this.#parts.stopped) return
    this.#parts.rescanTimer.every(settings.rescanIntervalMs)
    this.scrub.everyMs = settings.scrubEveryMs
    if (settings.trashTtlDays !== before.trashTtlDays) this.#parts.keeper.ttlDays = settings.trashTtlDays
    this.copies.poke()
  }

  /** Other hooks, from now on. */
  setHooks({ specs, before }: ShareHooks): void {
    this.hooks.set(specs, before)
  }

  /** Takes part in the swarm; peers come and go from now on. */
  join(enter: () => ShareSwarm): void {
    this.#parts.peers.join(enter)
  }

  /** Leaves the swarm, for as long as is said (SharePeers). */
  get pausing(): Pick<SharePeers, 'pausedMs' | 'pause' | 'resume'> {
    return this.#parts.peers
  }

  /** Where a member may be reached, "host:port" each; what it was met at itself comes first. */
  hostsOf(device: DeviceId): string[] {
    return this.#parts.peers.hostsOf(device)
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#parts.peers.setKnownHosts(hosts)
  }

  async scan(): Promise<void> {
    this.#parts.mustRun()
    await this.#parts.scanner.fullScan()
    await this.#parts.settler.settle()
  }

  /** Resolves when all that changed on the disk before is seen, scanned and announced. */
  async settle(): Promise<void> {
    this.#parts.mustRun()
    if (!(await this.#parts.watcher.flush())) await this.#parts.scanner.fullScan()
    await this.#parts.scanner.settled()
    await this.#parts.scanner.settleLinks()
    await this.#parts.settler.settled()
  }

  /** Lifts a halt (A5): the tree is as it should be, whatever is missing. */
  approve(): void {
    if (this.#parts.halted === undefined) return
    this.#parts.root.approve()
    this.#parts.log.info({ reason: this.#parts.halted }, 'approved, going on')
    this.#parts.halted = undefined
    this.problems.clear('share', '')
    this.observer.poke()
    this.#parts.scanner.approve()
    this.#parts.applier.wake()
  }

  /** Who wrote which version when, newest first. USAGE. */
  log(query: LogQuery): ReturnType<typeof readLog> {
    return readLog(this.#parts.feeds.readable, this.#parts.options.keys.read.entryKey, query)
  }

  /** Files that are being put together; see Applier. */
  transfers(limit: number): ReturnType<Applier['transfers']> {
    return this.#parts.applier.transfers(limit)
  }

  /** Whether a device has proved that it may write: the share's key has signed a feed of it (K5). */
  isWriter(device: DeviceId): boolean {
    return this.index.feeds.all().some((feed) => feed.device === device)
  }

  /** Whether a device is a member, of whatever grade, and not this one. */
  hasMember(device: DeviceId): boolean {
    return this.members.has(device) || this.blindMembers.has(device)
  }

  /** What people call a member. */
  memberName(device: DeviceId): string | undefined {
    return this.members.nameOf(device) ?? this.blindMembers.nameOf(device)
  }

  /** Drops a member until it says something new itself. */
  forget(device: DeviceId): void {
    this.members.forget(device)
    this.blindMembers.forget(device)
    this.reports.forget(device)
  }

  /** What this disk holds of the share, as members compare it. */
  get holding(): Holding {
    const scope = this.#parts.options.followsReleases ? 'releases' : 'all'
    const releasesDigest = this.index.releases.digest()
    return { scope, digest: scope === 'all' ? this.index.digest() : releasesDigest, releasesDigest }
  }

  /** How far the share is read here (core/head.ts); feeds that nobody can follow any more are left out. */
  get head(): string {
    return formatHead(headTag(this.shareId), openView(this.index.feeds.all()))
  }

  get conflictCount(): number {
    return this.index.conflicts.copies.size
  }

  async stop(): Promise<void> {
    if (this.#parts.stopped) return
    this.#parts.stopped = true
    this.#parts.rescanTimer.stop()
    this.observer.stop()
    this.#parts.shortage.stop()
    this.drift.stop()
    this.#parts.settler.stop()
    this.releases.stop()
    this.#parts.news.stop()
    await this.#parts.peers.close()
    this.members.stop()
    this.blindMembers.stop()
    this.inquiries.stop()
    this.copies.stop()
    this.reports.stop()
    this.exchange.close()
    this.#parts.pieces.stop()
    await Promise.allSettled([
      this.hooks.stop(),
      this.#parts.keeper.stop(),
      this.scrub.stop(),
      this.#parts.auditee.stop(),
      this.#parts.watcher.close(),
      this.#parts.applier.stop(),
      this.#parts.scanner.stop(),
      this.#parts.feeds.stop(),
    ])
    await this.#parts.feeds.close()
  }
}
