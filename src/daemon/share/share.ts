// One share of a running daemon: puts the parts together (scanner, publisher, followers, applier, exchange, members) and
// owns their lifetimes. What it knows of the world it gets from daemon.ts.
import { randomBytes } from 'node:crypto'
import { ShoalError } from '../../core/error.js'
import { formatHead, headTag } from '../../core/head.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { Metadata } from '../../core/metadata.js'
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import { CURRENT_LINK } from '../../core/release.js'
import type { Secret } from '../../core/secret.js'
import { type Holding, UNKNOWN_DIGEST } from '../../core/state.js'
import { Exchange } from '../../exchange/exchange.js'
import type { Hooks } from '../../hooks/hooks.js'
import type { Log } from '../../ports/log.js'
import { openView } from '../../store/feeds.js'
import { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { Releases } from '../release/releases.js'
import { Applier } from './applier.js'
import type { ArchiveKeeper } from './archive-keeper.js'
import { Carried } from './carried.js'
import type { ShareContext } from './context.js'
import { DiskGuard } from './disk-guard.js'
import { metadataProblems } from './dressing-problems.js'
import { type LogQuery, readLog } from './feed-log.js'
import { Hearing } from './hearing.js'
import { IgnoreFile } from './ignore-file.js'
import { IndexNews } from './index-news.js'
import type { Inquiries } from './inquiries.js'
import type { LocalDrift } from './local-drift.js'
import type { Members } from './members.js'
import { ShareMeta } from './meta.js'
import { ProblemBook } from './problems.js'
import type { Reports } from './reports.js'
import { RescanTimer } from './rescan-timer.js'
import { ShareRoot } from './root.js'
import type { ScanProgress } from './scan-count.js'
import { Scanner } from './scanner.js'
import { FilePieces } from './serving.js'
import { Settler } from './settler.js'
import { makeContents, type ShareContents } from './share-contents.js'
import { makeDrift } from './share-drift.js'
import { ShareFeeds } from './share-feeds.js'
import { makeHooks } from './share-hooks.js'
import { makeInquiries, standingOf } from './share-inquiries.js'
import { makeKeeper } from './share-keeper.js'
import { makeMembers } from './share-members.js'
import { observed, ShareObserver } from './share-observer.js'
import {
  type ShareHooks,
  type ShareOptions,
  type ShareSettings,
  type ShareState,
  tablePrefix,
} from './share-options.js'
import { SharePeers } from './share-peers.js'
import { makeReleases } from './share-releases.js'
import { makeReports } from './share-reports.js'
import { ShareWatcher } from './share-watcher.js'

/** Pieces asked for and not complete: a gigabit link's round trip of 100 ms; more only lies in memory. */
const IN_FLIGHT_BYTES = 16 << 20

export class Share {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly exchange: Exchange
  readonly members: Members
  readonly inquiries: Inquiries
  readonly reports: Reports
  /** What is done about a reader's own changes. */
  readonly drift: LocalDrift
  readonly hooks: Hooks
  readonly releases: Releases
  readonly observer: ShareObserver
  readonly contents: ShareContents
  readonly #o: ShareOptions
  readonly #log: Log
  readonly #meta: ShareMeta
  readonly #root: ShareRoot
  readonly #context: ShareContext
  readonly #ignore: IgnoreFile
  readonly #feeds: ShareFeeds
  readonly #settler: Settler
  readonly #pieces: FilePieces
  readonly #scanner: Scanner
  readonly #applier: Applier
  readonly #watcher: ShareWatcher
  readonly #hearing: Hearing
  readonly #peers: SharePeers
  readonly #news: IndexNews
  readonly #keeper: ArchiveKeeper
  readonly #rescanTimer = new RescanTimer(() => this.#rescanAll())
  #settings: ShareSettings
  readonly #carried: Carried
  #halted: string | undefined
  #stopped = false
  /** The index has not looked through its disk yet, being new here or made anew, and the directory has content. */
  readonly #isBehindDisk: boolean
  readonly #onFatal: (thrown: unknown) => void

  constructor(options: ShareOptions, onFatal: (thrown: unknown) => void) {
    const { keys, dir, nowMs, database } = options
    const prefix = tablePrefix(keys.shareId)
    this.#o = options
    this.#settings = options.settings
    this.#onFatal = onFatal
    this.#log = options.log.child({ dir })
    this.observer = new ShareObserver({ note: options.noteEvent, nowMs, share: observed(this) })
    this.#meta = new ShareMeta(database, prefix)
    this.#root = new ShareRoot(dir, keys.shareId, this.#meta, nowMs)
    this.drift = makeDrift(options, prefix, this.#log, {
      onChange: () => this.#news.tellSoon(),
      mustRun: () => this.#mustRun(),
    })
    this.index = new ShareIndex(database, prefix, {
      overwriteDrift: (path, row) => this.drift.isToBeUndone(path, row),
      isIgnored: (path, isDirectory) => this.#ignore.ignores(path, isDirectory),
      onWanted: (path, isWanted) => this.hooks.noteWanted(path, isWanted),
      isPinned: (path) => options.followsReleases && this.releases.isPinned(path),
    })
    this.#carried = new Carried({
      ...options,
      meta: this.#meta,
      index: () => this.index,
      problems: () => this.problems,
    })
    this.problems = new ProblemBook(
      nowMs,
      metadataProblems(this.index, () => this.#carried.metadata),
      (problem, isThere) => this.observer.problem(problem, isThere),
    )
    this.#ignore = new IgnoreFile(dir, this.index, this.#meta, this.problems, this.#log, {
      followsReleases: options.followsReleases,
      hasReleases: () => this.releases.areUsed,
    })
    this.#context = this.#makeContext()
    const rescan = (directories: readonly (RelPath | '')[]): void => this.#scanner.markDirty(directories)
    this.#pieces = new FilePieces(this.#context, {
      rescan,
      onServable: (writer, indices) => this.exchange.have(writer, indices),
    })
    this.exchange = new Exchange({
      device: options.identity.device.device,
      source: this.#pieces,
      log: this.#log,
      seed: randomBytes(4).readUInt32LE(),
      maxInFlightBytes: IN_FLIGHT_BYTES,
      ...options.rates.forExchange,
    })
    this.members = makeMembers(options, prefix, this.#log, {
      peers: () => this.peers,
      onEnrolled: (member, by) => this.reports.enrolled(member, by),
      describe: () => ({
        feeds: this.index.feeds.view(),
        ...this.holding,
        ...(this.#scanner.hasScanned ? {} : { digest: UNKNOWN_DIGEST }),
        ...this.index.counts,
        drift: this.drift.open,
        conflicts: this.conflictCount,
        problems: this.problems.size,
      }),
    })
    this.reports = makeReports(options, prefix, this.#log, {
      members: this.members,
      drift: this.drift,
      hasScanned: () => this.#scanner.hasScanned,
    })
    this.inquiries = makeInquiries(options, this.#log, {
      members: this.members,
      peers: () => this.peers,
      settle: () => this.settle(),
      standing: () => this.standing,
    })
    const fault = this.#root.prepare()
    if (fault !== undefined) this.#halt(fault)
    this.#isBehindDisk = fault === undefined && !this.index.recovery.isDiskKnown && this.#root.hasContent
    this.#hearing = new Hearing({
      index: this.index,
      members: this.members,
      feeds: () => this.#feeds,
      isStopped: () => this.#stopped,
    })
    this.#peers = new SharePeers({
      meta: this.#meta,
      exchange: this.exchange,
      members: this.members,
      reports: this.reports,
      inquiries: this.inquiries,
      hearing: this.#hearing,
      feeds: () => this.#feeds,
      context: this.#context,
      note: (fact) => this.observer.note(fact),
      nowMs,
      onMembers: () => this.releases.changed(),
    })
    this.#feeds = this.#makeFeeds()
    this.#settler = new Settler({
      isAvailable: (refs) => this.#applier.isAvailable(refs),
      isStaged: (path, wanted, piece) => this.#applier.isStaged(path, wanted, piece),
      index: this.index,
      labelOf: (writer) => this.#feeds.labelOf(writer),
      publish: (list) => this.#feeds.publish(list),
      ownWriter: () => this.#feeds.ownWriter,
      isDiskKnown: () => this.#scanner.hasScanned && !this.#scanner.isScanningAll,
      mayPublish: () => this.#feeds.mayPublish,
      fail: (thrown) => this.#fail(thrown),
    })
    this.#scanner = new Scanner(this.#context)
    this.#applier = new Applier({
      context: this.#context,
      exchange: this.exchange,
      nowMs,
      leftovers: this.#halted === undefined ? this.#root.leftovers() : [],
      rescan,
      isDiskKnown: () => this.#scanner.hasScanned,
      onApplied: (path) => {
        if (path === IGNORE_FILE) this.#loadIgnoreRules()
        this.#news.tellSoon()
      },
      onFailed: (path, code, detail) => this.drift.noteFailed(path, code, detail),
      onMade: (directory) => this.#scanner.noteMade(directory),
      onQuiet: () => this.#scanner.watchMade(),
    })
    this.#news = new IndexNews({
      index: this.index,
      isOpen: (writer) => this.#feeds.isOpen(writer),
      exchange: this.exchange,
      onChanges: (changes) => this.#applier.note(changes),
      onRound: () => {
        this.#tellMembers()
        this.#settler.soon()
        this.hooks.wake()
        this.#scanner.noteChanges()
        this.observer.poke()
      },
    })
    this.hooks = makeHooks(options, prefix, {
      index: this.index,
      members: this.members,
      problems: this.problems,
      context: this.#context,
      peers: () => this.#peers.connected,
      feeds: () => this.#feeds,
      hasScanned: () => this.#scanner.hasScanned,
    })
    this.#watcher = new ShareWatcher(dir, this.#log, {
      scanner: () => this.#scanner,
      applier: () => this.#applier,
      problems: this.problems,
      rescanAll: () => this.#rescanAll(),
    })
    this.releases = makeReleases(options, {
      context: this.#context,
      members: this.members,
      reports: this.reports,
      scanner: this.#scanner,
      settings: () => this.#settings,
      settle: () => this.settle(),
      isConnected: (device) => this.peers.some((peer) => peer.device === device),
    })
    this.releases.onSwitched(() => this.#noteShown())
    this.contents = makeContents(options, this.#context, {
      feeds: this.#feeds,
      scanner: this.#scanner,
      settler: this.#settler,
      mustRun: () => this.#mustRun(),
    })
    this.#keeper = makeKeeper(options, this.#context, this.#meta, this.#settings.trashTtlDays)
  }

  /** Of this share; told on an explicit call alone. */
  get secret(): Secret {
    return this.#o.secret
  }

  get dir(): string {
    return this.#o.dir
  }

  get shareId(): ShareId {
    return this.#o.keys.shareId
  }

  get grade(): 'write' | 'read' {
    return this.#o.keys.grade === 'write' ? 'write' : 'read'
  }

  /** Whether the whole folder was looked at, and what was found published, since the start. */
  get hasScanned(): boolean {
    return this.#scanner.hasScanned
  }

  get haltReason(): string | undefined {
    return this.#halted
  }

  get state(): ShareState {
    if (this.#halted !== undefined) return 'halted'
    if (this.#peers.pausedMs !== undefined) return 'paused'
    if (this.#scanner.isScanningAll) return 'scanning'
    const isSettling = this.#feeds.mayPublish && this.index.conflicts.unsettled.size > 0
    return this.index.counts.needFiles > 0 || this.#applier.isBusy || isSettling ? 'syncing' : 'idle'
  }

  /** Where this device stands, for those who ask (inquiries.ts). */
  get standing(): Standing {
    const { state, problems } = this
    return standingOf({ state, problems, scanner: this.#scanner, feeds: this.#feeds })
  }

  get scanProgress(): ScanProgress | undefined {
    return this.#scanner.progress
  }

  get peers(): readonly SharePeer[] {
    return [...this.#peers.connected]
  }

  /** Opens the feeds, reads the own one's tail back, and starts looking at the disk. */
  async start(): Promise<void> {
    this.#loadIgnoreRules()
    this.drift.start(this.index)
    this.observer.start()
    await this.#carried.findSupport(this.#halted !== undefined)
    await this.#feeds.start()
    this.#watcher.start()
    this.#rescanTimer.every(this.#settings.rescanIntervalMs)
    if (this.#halted === undefined && (this.#isBehindDisk || this.#meta.isNewEpoch)) {
      this.#scanner.hold()
      void this.#hearing.listen().finally(() => this.#scanner.letGo())
    }
    this.#scanner.markDirty([''])
    this.#news.tellSoon()
    this.#applier.wake()
    this.#keeper.start()
    this.#noteShown()
    this.hooks.start()
  }

  /** New settings, from now on. */
  adjust(settings: ShareSettings): void {
    const before = this.#settings
    this.#settings = settings
    if (this.#stopped) return
    this.#rescanTimer.every(settings.rescanIntervalMs)
    if (settings.trashTtlDays !== before.trashTtlDays) this.#keeper.ttlDays = settings.trashTtlDays
  }

  /** Other hooks, from now on. */
  setHooks({ specs, before }: ShareHooks): void {
    this.hooks.set(specs, before)
  }

  /** Takes part in the swarm; peers come and go from now on. */
  join(enter: () => ShareSwarm): void {
    this.#peers.join(enter)
  }

  /** Leaves the swarm, for as long as is said (SharePeers). */
  get pausing(): Pick<SharePeers, 'pausedMs' | 'pause' | 'resume'> {
    return this.#peers
  }

  setKnownHosts(hosts: readonly string[]): void {
    this.#peers.setKnownHosts(hosts)
  }

  async scan(): Promise<void> {
    this.#mustRun()
    await this.#scanner.fullScan()
    await this.#settler.settle()
  }

  /** Resolves when all that changed on the disk before is seen, scanned and announced. */
  async settle(): Promise<void> {
    this.#mustRun()
    if (!(await this.#watcher.flush())) await this.#scanner.fullScan()
    await this.#scanner.settled()
    await this.#settler.settled()
  }

  /** Lifts a halt (A5): the tree is as it should be, whatever is missing. */
  approve(): void {
    if (this.#halted === undefined) return
    this.#root.approve()
    this.#log.info({ reason: this.#halted }, 'approved, going on')
    this.#halted = undefined
    this.problems.clear('share', '')
    this.observer.poke()
    this.#scanner.approve()
    this.#applier.wake()
  }

  /** Who wrote which version when, newest first. USAGE. */
  log(query: LogQuery): ReturnType<typeof readLog> {
    return readLog(this.#feeds.readable, this.#o.keys.read.entryKey, query)
  }

  /** Files that are being put together; see Applier. */
  transfers(limit: number): ReturnType<Applier['transfers']> {
    return this.#applier.transfers(limit)
  }

  /** Whether a device has proved that it may write: the share's key has signed a feed of it (K5). */
  isWriter(device: DeviceId): boolean {
    return this.index.feeds.all().some((feed) => feed.device === device)
  }

  /** What this disk holds of the share, as members compare it. */
  get holding(): Holding {
    const scope = this.#o.followsReleases ? 'releases' : 'all'
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
    if (this.#stopped) return
    this.#stopped = true
    this.#rescanTimer.stop()
    this.observer.stop()
    this.drift.stop()
    this.#settler.stop()
    this.releases.stop()
    this.#news.stop()
    await this.#peers.close()
    this.members.stop()
    this.inquiries.stop()
    this.reports.stop()
    this.exchange.close()
    this.#pieces.stop()
    await Promise.allSettled([
      this.hooks.stop(),
      this.#keeper.stop(),
      this.#watcher.close(),
      this.#applier.stop(),
      this.#scanner.stop(),
      this.#feeds.stop(),
    ])
    await this.#feeds.close()
  }

  #makeContext(): ShareContext {
    const { dir, pool, keys, useSyncTrash, hardLinks, sparse } = this.#o
    const metadata = (): Metadata => this.#carried.metadata
    return {
      root: dir,
      index: this.index,
      pool,
      guard: new DiskGuard(),
      problems: this.problems,
      log: this.#log,
      pieceKeys: keys.read,
      isWriter: this.grade === 'write',
      hardLinks,
      archive: useSyncTrash,
      sparse,
      maxVersionedBytes: () => this.#settings.maxVersionedBytes,
      useArchive: (atMs) => this.#keeper.use(atMs),
      get metadata() {
        return metadata()
      },
      isOwn: (writer) => writer === this.#feeds.ownWriter,
      dressesAnew: () => this.#carried.dressesAnew,
      isIgnored: (path, isDirectory) => this.#ignore.ignores(path, isDirectory),
      noteChange: (path, by, bytes = 0) => {
        this.hooks.noteChange(path, by)
        if (by === 'share') this.observer.applied(path, bytes)
      },
      onIgnoreRules: () => this.#loadIgnoreRules(),
      publish: (list) => this.#feeds.publish(list),
      watch: (directories) => this.#watcher.add(directories),
      hear: () => this.#watcher.hear(),
      rootIdentity: () => this.#root.identity,
      checkRoot: async () => this.#root.fault(),
      halt: (reason) => this.#halt(reason),
      haltReason: () => this.#halted ?? (this.#stopped ? 'stopping' : undefined),
      onDriftEnded: (ended) => this.drift.noteEnded(ended),
      onFullScan: (durationMs) => {
        this.observer.fullScan(durationMs)
        this.#meta.isNewEpoch = false
        this.#carried.noteFullScan(this.#isBehindDisk)
        this.#tellMembers()
        this.#applier.wake()
      },
      fail: (thrown) => this.#fail(thrown),
    }
  }

  #makeFeeds(): ShareFeeds {
    const { keys, identity, deviceName, feeds: store, nowMs } = this.#o
    const { index, exchange, problems } = this
    return new ShareFeeds({
      ...{ keys, identity, deviceName, store, nowMs, index, exchange, problems },
      ...{ meta: this.#meta, log: this.#log },
      isBehindDisk: this.#isBehindDisk,
      peers: () => this.#peers.connected,
      met: this.#hearing.met,
      onChange: () => this.#news.tellSoon(),
      onOwnChange: (path, isDirectory) => {
        this.hooks.noteChange(path, 'user')
        this.observer.published(path, isDirectory)
      },
      onTaken: (device, entries, atMs) => this.observer.taken(device, entries, atMs),
      rescan: (directory, delayMs) => this.#scanner.markDirty([directory], delayMs),
      rescanAll: () => this.#rescanAll(),
      fail: (thrown) => this.#fail(thrown),
    })
  }

  /** Hooks hear of a release that is shown now, also if the process died that began to show it: at least once. */
  #noteShown(): void {
    const { shown } = this.releases
    if (shown === undefined || shown === this.#meta.shownRelease) return
    this.hooks.noteChanged([CURRENT_LINK])
    this.#meta.shownRelease = shown
    this.#o.noteEvent({ type: 'release', name: shown })
  }

  /** What this device holds, or could report of it, may have changed. */
  #tellMembers(): void {
    this.members.changed()
    this.reports.changed()
    this.releases.changed()
  }

  #halt(reason: string): void {
    if (this.#halted !== undefined) return
    this.#halted = reason
    this.problems.set('share', '', 'HALTED', reason)
    this.#log.error({ reason }, 'share halted')
    this.observer.poke()
  }

  #mustRun(): void {
    if (this.#halted !== undefined)
      throw new ShoalError('SHARE_HALTED', `${this.#o.dir} is halted: ${this.#halted}`)
  }

  #loadIgnoreRules(): void {
    if (this.#ignore.load()) this.#rescanAll()
  }

  #rescanAll(): void {
    this.observer.poke()
    void this.#scanner.fullScan().catch((thrown) => this.#fail(thrown))
  }

  #fail(thrown: unknown): void {
    if (this.#stopped) return
    this.#log.error({ err: thrown }, 'share stopped by an unexpected error')
    this.#onFatal(thrown)
  }
}
