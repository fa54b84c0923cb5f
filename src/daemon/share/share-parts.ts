// The parts of one share and how they know each other: made once, in the order in which they need one another. What is asked
// of a share as a whole, and when its parts start and end, is share.ts.
import { randomBytes } from 'node:crypto'
import { ShoalError } from '../../core/error.js'
import type { Standing } from '../../core/inquiry.js'
import { IGNORE_FILE, type RelPath } from '../../core/path.js'
import { CURRENT_LINK } from '../../core/release.js'
import { type Holding, UNKNOWN_DIGEST } from '../../core/state.js'
import { Exchange } from '../../exchange/exchange.js'
import type { Hooks } from '../../hooks/hooks.js'
import type { Log } from '../../ports/log.js'
import { ShareIndex } from '../../store/share-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import { Auditee } from '../audit/auditee.js'
import type { BlindMembers } from '../blind/blind-members.js'
import { ShareCopies } from '../copies/share-copies.js'
import type { Releases } from '../release/releases.js'
import type { Scrub } from '../scrub/scrub.js'
import { Applier } from './applier.js'
import type { ArchiveKeeper } from './archive-keeper.js'
import { Carried } from './carried.js'
import type { ShareContext } from './context.js'
import { metadataProblems } from './dressing-problems.js'
import { Hearing } from './hearing.js'
import { IgnoreFile } from './ignore-file.js'
import { IndexNews } from './index-news.js'
import type { Inquiries } from './inquiries.js'
import type { LocalDrift } from './local-drift.js'
import { leave, meet } from './meeting.js'
import type { Members } from './members.js'
import { ShareMeta } from './meta.js'
import { ProblemBook } from './problems.js'
import type { Reports } from './reports.js'
import { RescanTimer } from './rescan-timer.js'
import { ShareRoot } from './root.js'
import { Scanner } from './scanner.js'
import { FilePieces } from './serving.js'
import { Settler } from './settler.js'
import { makeContents, type ShareContents } from './share-contents.js'
import { makeContext } from './share-context.js'
import { makeDrift } from './share-drift.js'
import { ShareFeeds } from './share-feeds.js'
import { makeHooks } from './share-hooks.js'
import { makeInquiries } from './share-inquiries.js'
import { makeKeeper } from './share-keeper.js'
import { makeBlindMembers, makeMembers } from './share-members.js'
import { observed, ShareObserver } from './share-observer.js'
import { type ShareOptions, type ShareSettings, tablePrefix } from './share-options.js'
import { SharePeers } from './share-peers.js'
import { makeReleases } from './share-releases.js'
import { makeReports } from './share-reports.js'
import { makeScrub } from './share-scrub.js'
import { ShareWatcher } from './share-watcher.js'
import { ShortageBrake } from './shortage-brake.js'

/** Pieces asked for and not complete: a gigabit link's round trip of 100 ms; more only lies in memory. */
const IN_FLIGHT_BYTES = 16 << 20

/** What the parts ask of the share as a whole; not before all of them are made. */
export type ShareFacts = Parameters<typeof observed>[0] & {
  readonly peers: readonly SharePeer[]
  readonly holding: Holding
  readonly standing: Standing
  readonly conflictCount: number
  settle(): Promise<void>
}

export class ShareParts {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly shortage: ShortageBrake
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
  readonly copies: ShareCopies
  readonly options: ShareOptions
  readonly log: Log
  readonly meta: ShareMeta
  readonly root: ShareRoot
  readonly context: ShareContext
  readonly ignore: IgnoreFile
  readonly feeds: ShareFeeds
  readonly settler: Settler
  readonly pieces: FilePieces
  readonly scanner: Scanner
  readonly applier: Applier
  readonly watcher: ShareWatcher
  readonly hearing: Hearing
  readonly peers: SharePeers
  readonly news: IndexNews
  readonly keeper: ArchiveKeeper
  readonly scrub: Scrub
  readonly auditee: Auditee
  readonly rescanTimer: RescanTimer = new RescanTimer(() => this.rescanAll())
  /** Read anew while it runs. */
  settings: ShareSettings
  readonly carried: Carried
  /** Why nothing is done (A5). */
  halted: string | undefined
  stopped = false
  /** The index has not looked through its disk yet, being new here or made anew, and the directory has content. */
  readonly isBehindDisk: boolean
  readonly #onFatal: (thrown: unknown) => void

  constructor(options: ShareOptions, share: ShareFacts, onFatal: (thrown: unknown) => void) {
    const { keys, dir, nowMs, database } = options
    const prefix = tablePrefix(keys.shareId)
    this.options = options
    this.settings = options.settings
    this.#onFatal = onFatal
    this.log = options.log.child({ dir })
    this.observer = new ShareObserver({ note: options.noteEvent, nowMs, share: observed(share) })
    this.meta = new ShareMeta(database, prefix)
    this.root = new ShareRoot(dir, keys.shareId, this.meta, nowMs)
    this.drift = makeDrift(options, prefix, this.log, {
      onChange: () => this.news.tellSoon(),
      mustRun: () => this.mustRun(),
    })
    this.index = new ShareIndex(database, prefix, {
      overwriteDrift: (path, row) => this.drift.isToBeUndone(path, row),
      isIgnored: (path, isDirectory) => this.ignore.ignores(path, isDirectory),
      onWanted: (path, isWanted) => this.hooks.noteWanted(path, isWanted),
      isPinned: (path) => options.followsReleases && this.releases.isPinned(path),
    })
    this.carried = new Carried({
      ...options,
      meta: this.meta,
      index: () => this.index,
      problems: () => this.problems,
    })
    this.problems = new ProblemBook(
      nowMs,
      metadataProblems(this.index, () => this.carried.metadata),
      (problem, isThere) => this.observer.problem(problem, isThere),
    )
    this.shortage = new ShortageBrake({
      ...{ problems: this.problems, log: this.log },
      isStopped: () => this.stopped,
      onTry: () => this.applier.wake(),
    })
    this.ignore = new IgnoreFile(dir, this.index, this.meta, this.problems, this.log, {
      followsReleases: options.followsReleases,
      hasReleases: () => this.releases.areUsed,
    })
    this.context = makeContext(options, this)
    const rescan = (directories: readonly (RelPath | '')[]): void => this.scanner.markDirty(directories)
    this.pieces = new FilePieces(this.context, {
      rescan,
      onServable: (writer, indices) => this.exchange.have(writer, indices),
    })
    this.auditee = new Auditee({
      ...{ source: this.pieces, own: options.identity.device.device, shareId: keys.shareId, log: this.log },
      fail: (thrown) => this.fail(thrown),
    })
    this.exchange = new Exchange({
      device: options.identity.device.device,
      source: this.pieces,
      log: this.log,
      seed: randomBytes(4).readUInt32LE(),
      maxInFlightBytes: IN_FLIGHT_BYTES,
      ...options.rates.forExchange,
    })
    this.members = makeMembers(options, prefix, this.log, {
      peers: () => share.peers,
      onEnrolled: (member, by) => this.reports.enrolled(member, by),
      describe: () => ({
        feeds: this.index.feeds.view(),
        ...share.holding,
        ...(this.scanner.hasScanned ? {} : { digest: UNKNOWN_DIGEST }),
        ...this.index.counts,
        drift: this.drift.open,
        conflicts: share.conflictCount,
        problems: this.problems.size,
      }),
    })
    this.blindMembers = makeBlindMembers(options, prefix, this.log, () => share.peers)
    this.reports = makeReports(options, prefix, this.log, {
      members: this.members,
      drift: this.drift,
      hasScanned: () => this.scanner.hasScanned,
    })
    this.inquiries = makeInquiries(options, this.log, {
      members: this.members,
      blindMembers: this.blindMembers,
      peers: () => share.peers,
      settle: () => share.settle(),
      standing: () => share.standing,
    })
    const fault = this.root.prepare()
    if (fault !== undefined) this.halt(fault)
    this.isBehindDisk = fault === undefined && !this.index.recovery.isDiskKnown && this.root.hasContent
    this.hearing = new Hearing({
      index: this.index,
      members: this.members,
      blindMembers: this.blindMembers,
      feeds: () => this.feeds,
      isStopped: () => this.stopped,
    })
    const meeting = {
      ...{ exchange: this.exchange, members: this.members, blindMembers: this.blindMembers },
      ...{ reports: this.reports, inquiries: this.inquiries, hearing: this.hearing, context: this.context },
      auditee: this.auditee,
      holdings: () => this.copies.talk,
      feeds: () => this.feeds,
      onMembers: () => {
        this.releases.changed()
        this.copies.poke()
      },
    }
    this.peers = new SharePeers({
      meta: this.meta,
      log: this.log,
      note: (fact) => this.observer.note(fact),
      nowMs,
      meet: (peer) => meet(peer, meeting),
      left: (peer) => leave(peer, meeting),
    })
    this.feeds = this.#makeFeeds()
    this.settler = new Settler({
      isAvailable: (refs) => this.applier.isAvailable(refs),
      isStaged: (path, wanted, piece) => this.applier.isStaged(path, wanted, piece),
      index: this.index,
      labelOf: (writer) => this.feeds.labelOf(writer),
      publish: (list) => this.feeds.publish(list),
      ownWriter: () => this.feeds.ownWriter,
      isDiskKnown: () => this.scanner.hasScanned && !this.scanner.isScanningAll,
      mayPublish: () => this.feeds.mayPublish,
      fail: (thrown) => this.fail(thrown),
    })
    this.scanner = new Scanner(this.context)
    this.applier = new Applier({
      context: this.context,
      exchange: this.exchange,
      nowMs,
      leftovers: this.halted === undefined ? this.root.leftovers() : [],
      rescan,
      isDiskKnown: () => this.scanner.hasScanned && !this.shortage.isOn,
      onApplied: (path) => {
        if (path === IGNORE_FILE) this.loadIgnoreRules()
        this.news.tellSoon()
      },
      onFailed: (path, code, detail) => this.drift.noteFailed(path, code, detail),
      onMade: (directory) => this.scanner.noteMade(directory),
      onQuiet: () => this.scanner.watchMade(),
    })
    this.news = new IndexNews({
      index: this.index,
      isOpen: (writer) => this.feeds.isOpen(writer),
      exchange: this.exchange,
      onChanges: (changes) => this.applier.note(changes),
      onRound: () => {
        this.tellMembers()
        this.settler.soon()
        this.hooks.wake()
        this.scanner.noteChanges()
        this.copies.changed()
        this.observer.poke()
      },
    })
    this.hooks = makeHooks(options, prefix, {
      index: this.index,
      members: this.members,
      problems: this.problems,
      context: this.context,
      peers: () => this.peers.connected,
      feeds: () => this.feeds,
      hasScanned: () => this.scanner.hasScanned,
    })
    this.watcher = new ShareWatcher(dir, this.log, {
      scanner: () => this.scanner,
      applier: () => this.applier,
      problems: this.problems,
      rescanAll: () => this.rescanAll(),
    })
    this.releases = makeReleases(options, {
      context: this.context,
      members: this.members,
      reports: this.reports,
      scanner: this.scanner,
      settings: () => this.settings,
      settle: () => share.settle(),
      isConnected: (device) => share.peers.some((peer) => peer.device === device),
    })
    this.releases.onSwitched(() => this.noteShown())
    this.contents = makeContents(options, this.context, {
      feeds: this.feeds,
      scanner: this.scanner,
      settler: this.settler,
      mustRun: () => this.mustRun(),
    })
    this.copies = new ShareCopies(options, this.context, share, this)
    this.keeper = makeKeeper(options, this.context, this.meta, this.settings.trashTtlDays)
    this.scrub = makeScrub(options, this.context, this.settings, {
      ...{ rescan, note: (fact) => this.observer.note(fact), mustRun: () => this.mustRun() },
      onDamage: () => this.news.tellSoon(),
      onChange: () => this.tellMembers(),
    })
    this.reports.provide('scrub', () => this.scrub.section)
  }

  #makeFeeds(): ShareFeeds {
    const { keys, identity, deviceName, feeds: store, nowMs } = this.options
    const { index, exchange, problems } = this
    return new ShareFeeds({
      ...{ keys, identity, deviceName, store, nowMs, index, exchange, problems },
      ...{ meta: this.meta, log: this.log },
      isBehindDisk: this.isBehindDisk,
      peers: () => this.peers.connected,
      met: this.hearing.met,
      onChange: () => this.news.tellSoon(),
      onOwnChange: (path, isDirectory) => {
        this.hooks.noteChange(path, 'user')
        this.observer.published(path, isDirectory)
      },
      onTaken: (device, entries, atMs) => this.observer.taken(device, entries, atMs),
      rescan: (directory, delayMs) => this.scanner.markDirty([directory], delayMs),
      rescanAll: () => this.rescanAll(),
      fail: (thrown) => this.fail(thrown),
    })
  }

  /** Hooks hear of a release that is shown now, also if the process died that began to show it: at least once. */
  noteShown(): void {
    const { shown } = this.releases
    if (shown === undefined || shown === this.meta.shownRelease) return
    this.hooks.noteChanged([CURRENT_LINK])
    this.meta.shownRelease = shown
    this.options.noteEvent({ type: 'release', name: shown })
  }

  /** What this device holds, or could report of it, may have changed. */
  tellMembers(): void {
    this.members.changed()
    this.reports.changed()
    this.releases.changed()
  }

  halt(reason: string): void {
    if (this.halted !== undefined || this.stopped) return
    this.halted = reason
    this.problems.set('share', '', 'HALTED', reason)
    this.log.error({ reason }, 'share halted')
    this.observer.poke()
  }

  mustRun(): void {
    if (this.halted !== undefined)
      throw new ShoalError('SHARE_HALTED', `${this.options.dir} is halted: ${this.halted}`)
  }

  loadIgnoreRules(): void {
    if (this.ignore.load()) this.rescanAll()
  }

  rescanAll(): void {
    this.observer.poke()
    void this.scanner.fullScan().catch((thrown) => this.fail(thrown))
  }

  fail(thrown: unknown): void {
    if (this.stopped) return
    this.log.error({ err: thrown }, 'share stopped by an unexpected error')
    this.#onFatal(thrown)
  }
}
