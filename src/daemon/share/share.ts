// One share of a running daemon: puts the parts together (scanner, publisher, followers, applier, exchange, members) and
// owns their lifetimes. What it knows of the world it gets from daemon.ts.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import { Bitfield } from '../../core/bitfield.js'
import { deviceLabel, openCertificate, signCertificate } from '../../core/certificate.js'
import { originalOf } from '../../core/conflict.js'
import { feedKeyPairOf } from '../../core/device.js'
import { invariant, ShoalError, toShoalError } from '../../core/error.js'
import type { DeviceId, WriterId } from '../../core/ids.js'
import { IGNORE_FILE, parentOf, type RelPath } from '../../core/path.js'
import type { ReadKeys, ShareKeys } from '../../core/secret.js'
import { Exchange } from '../../exchange/exchange.js'
import type { Feed } from '../../feed/feed.js'
import type { OwnFeed } from '../../feed/own.js'
import type { FeedStore } from '../../feed/store.js'
import { IgnoreRules, MAX_IGNORE_BYTES } from '../../folder/ignore.js'
import {
  cleanStaging,
  prepareOwnDir,
  type RootIdentity,
  readMarker,
  STAGING_DIR,
  writeMarker,
} from '../../folder/marker.js'
import type { FolderPool } from '../../folder/pool.js'
import { Watcher } from '../../folder/watch.js'
import type { Log } from '../../ports/log.js'
import type { IndexFeed } from '../../store/feeds.js'
import { ShareIndex } from '../../store/share-index.js'
import { type Database, pathKey, type Table } from '../../store/tables.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { Identity } from '../identity.js'
import { Applier } from './applier.js'
import type { ShareContext } from './context.js'
import { DiskGuard } from './disk-guard.js'
import { Follower, type FollowerOptions } from './follower.js'
import { Members } from './members.js'
import { ProblemBook } from './problems.js'
import { type Publication, Publisher } from './publisher.js'
import { Scanner } from './scanner.js'
import { FilePieces } from './serving.js'

export interface ShareOptions {
  readonly dir: string
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  readonly useSyncTrash: boolean
  readonly overwriteChanges: boolean
  readonly rescanIntervalMs: number
  readonly deviceName: string
  readonly identity: Identity
  readonly instance: string
  readonly feeds: FeedStore
  readonly database: Database
  readonly pool: FolderPool
  readonly log: Log
  readonly nowMs: () => number
}

/** A writer with members that it knew before waits this long for one of them before it appends (F4). */
const MEET_BEFORE_APPEND_MS = 1500
/** A change that could not be published is looked at again after this long. */
const POSTPONED_MS = 1000
/** How long a change of this disk may wait to be noticed while a backlog is applied. */
const BULK_LOOK_MS = 1000
/**
 * Conflicts are settled when nothing has come in for this long, or at the latest after the second: two writers who settle
 * before they have read the same make two copies of one version.
 */
const SETTLE_QUIET_MS = 150
const SETTLE_LATEST_MS = 3000
/** Conflicts settled in one go. */
const SETTLE_BATCH = 256
/** Signed until the disk was looked through once since the start: equals nobody's, so nobody counts us as in sync. */
const UNKNOWN_DIGEST = Buffer.alloc(32, 0xff)

export class Share {
  readonly index: ShareIndex
  readonly problems: ProblemBook
  readonly exchange: Exchange
  readonly members: Members
  readonly #o: ShareOptions
  readonly #log: Log
  readonly #prefix: string
  readonly #meta: Table<unknown>
  readonly #context: ShareContext
  readonly #pieces: FilePieces
  readonly #scanner: Scanner
  readonly #applier: Applier
  readonly #watcher: Watcher
  readonly #feeds = new Map<WriterId, { feed: Feed; follower: Follower }>()
  readonly #peers = new Set<SharePeer>()
  #publisher: Publisher | undefined
  #ownWriter: WriterId | undefined
  #ignore: IgnoreRules = IgnoreRules.none
  #halted: string | undefined
  #stopped = false
  #draining = false
  #settling: Promise<void> | undefined
  #settleTimer: NodeJS.Timeout | undefined
  #settleLatestMs = Number.POSITIVE_INFINITY
  #rescanTimer: NodeJS.Timeout | undefined
  #metAnybody: () => void = () => undefined
  readonly #met: Promise<void>
  readonly #onFatal: (thrown: unknown) => void
  #swarm: ShareSwarm | undefined

  constructor(options: ShareOptions, onFatal: (thrown: unknown) => void) {
    const { keys, dir, pool, nowMs } = options
    this.#o = options
    this.#onFatal = onFatal
    this.#log = options.log.child({ dir })
    this.#prefix = `${keys.shareId.slice(0, 16)}:`
    this.#meta = options.database.table(`${this.#prefix}meta`)
    this.problems = new ProblemBook(nowMs)
    this.index = new ShareIndex(options.database, this.#prefix, {
      overwriteDrift: options.overwriteChanges,
      isIgnored: (path, isDirectory) => this.#ignore.ignores(path, isDirectory),
    })
    this.#context = this.#makeContext(dir, pool)
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
    })
    this.members = this.#makeMembers()
    this.#met = new Promise((resolve) => {
      this.#metAnybody = resolve
      if (this.members.all().length === 0) resolve()
      else setTimeout(resolve, MEET_BEFORE_APPEND_MS).unref()
    })
    this.#prepareRoot()
    this.#scanner = new Scanner(this.#context)
    this.#applier = new Applier({
      context: this.#context,
      exchange: this.exchange,
      nowMs,
      leftovers: this.#halted === undefined ? this.#leftovers() : [],
      rescan,
      isDiskKnown: () => this.#scanner.hasScanned,
      onApplied: (path) => {
        if (path === IGNORE_FILE) this.#loadIgnoreRules()
        this.#drain()
      },
      onMade: (directory) => this.#scanner.noteMade(directory),
      onQuiet: () => this.#scanner.watchMade(),
    })
    this.#watcher = new Watcher(dir, { log: this.#log })
  }

  get dir(): string {
    return this.#o.dir
  }

  get grade(): 'write' | 'read' {
    return this.#o.keys.grade === 'write' ? 'write' : 'read'
  }

  get haltReason(): string | undefined {
    return this.#halted
  }

  get state(): 'scanning' | 'syncing' | 'idle' | 'halted' {
    if (this.#halted !== undefined) return 'halted'
    if (this.#scanner.isScanningAll) return 'scanning'
    const isSettling = this.#publisher !== undefined && this.index.hasUnsettled
    return this.index.counts.needFiles > 0 || this.#applier.isBusy || isSettling ? 'syncing' : 'idle'
  }

  get peers(): readonly SharePeer[] {
    return [...this.#peers]
  }

  /** Opens the feeds, reads the own one's tail back, and starts looking at the disk. */
  async start(): Promise<void> {
    this.#loadIgnoreRules()
    const own = this.grade === 'write' ? await this.#openOwn() : undefined
    for (const feed of this.index.feeds.all()) if (feed.writer !== own) await this.#openFeed(feed)
    // While much is being applied, nearly all events are our own doing: one look at the end of a while does for many.
    this.#watcher.on('dirty', (directories) => {
      this.#scanner.markDirty(directories, this.#applier.isBulk ? BULK_LOOK_MS : 0)
    })
    this.#watcher.on('gone', (directories) => this.#scanner.noteUnwatched(directories))
    this.#watcher.on('overflow', () => void this.#scanner.fullScan().catch((thrown) => this.#fail(thrown)))
    this.#watcher.on('limited', ({ code, detail }) => this.problems.set('watch', '', code, detail))
    if (this.#o.rescanIntervalMs > 0) {
      this.#rescanTimer = setInterval(() => {
        void this.#scanner.fullScan().catch((thrown) => this.#fail(thrown))
      }, this.#o.rescanIntervalMs)
    }
    this.#scanner.markDirty([''])
    this.#drain()
    this.#applier.wake()
  }

  /** Takes part in the swarm; peers come and go from now on. */
  join(swarm: ShareSwarm): void {
    this.#swarm = swarm
    const known = this.#meta.get(META.addresses) as Parameters<ShareSwarm['learn']>[0] | undefined
    if (known !== undefined) swarm.learn(known)
    swarm.on('peer', (peer) => this.#onPeer(peer))
    for (const peer of swarm.peers()) this.#onPeer(peer)
  }

  async scan(): Promise<void> {
    this.#mustRun()
    await this.#scanner.fullScan()
    await this.#settleConflicts()
  }

  /** Resolves when all that changed on the disk before is seen, scanned and announced. */
  async settle(): Promise<void> {
    this.#mustRun()
    if (!(await this.#watcher.flush())) await this.#scanner.fullScan()
    await this.#scanner.settled()
    await this.#settling
  }

  /** Lifts a halt (A5): the tree is as it should be, whatever is missing. */
  approve(): void {
    if (this.#halted === undefined) return
    const { dir, keys, nowMs } = this.#o
    try {
      fs.accessSync(dir)
      prepareOwnDir(dir)
    } catch (cause) {
      throw new ShoalError('SHARE_HALTED', `cannot go on with ${dir}: ${(cause as Error).message}`, { cause })
    }
    const marker = readMarker(dir, keys.shareId, undefined)
    if (marker.state !== 'ours' && marker.state !== 'fresh') {
      throw new ShoalError('SHARE_HALTED', `cannot go on with ${dir}: ${marker.detail}`)
    }
    this.#keepIdentity(marker.state === 'ours' ? marker.identity : writeMarker(dir, keys.shareId, nowMs()))
    this.#log.info({ reason: this.#halted }, 'approved, going on')
    this.#halted = undefined
    this.problems.clear('share', '')
    this.#scanner.approve()
    this.#applier.wake()
  }

  /** Conflict copies in the tree and the paths they belong to. */
  conflicts(): { path: RelPath; copy: RelPath }[] {
    return [...this.index.conflictCopies()].map((copy) => ({ path: originalOf(copy), copy }))
  }

  /** Whether a device has proved that it may write: the share's key has signed a feed of it (K5). */
  isWriter(device: DeviceId): boolean {
    return this.index.feeds.all().some((feed) => feed.device === device)
  }

  get conflictCount(): number {
    return this.index.conflictCopies().size
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#rescanTimer)
    clearTimeout(this.#settleTimer)
    this.#rememberAddresses()
    await this.#swarm?.close()
    this.members.stop()
    this.exchange.close()
    this.#pieces.stop()
    await Promise.allSettled([
      this.#watcher.close(),
      this.#applier.stop(),
      this.#scanner.stop(),
      ...[...this.#feeds.values()].map(({ follower }) => follower.stop()),
    ])
  }

  #makeContext(dir: string, pool: FolderPool): ShareContext {
    return {
      root: dir,
      index: this.index,
      pool,
      guard: new DiskGuard(),
      problems: this.problems,
      log: this.#log,
      pieceKeys: this.#o.keys.read,
      isWriter: this.grade === 'write',
      archive: this.#o.useSyncTrash,
      isIgnored: (path, isDirectory) => this.#ignore.ignores(path, isDirectory),
      onIgnoreRules: () => this.#loadIgnoreRules(),
      publish: (list) => this.#publish(list),
      watch: (directories) => this.#watcher.add(directories),
      rootIdentity: () => this.#meta.get(META.root) as RootIdentity | undefined,
      checkRoot: async () => this.#rootFault(),
      halt: (reason) => this.#halt(reason),
      haltReason: () => this.#halted ?? (this.#stopped ? 'stopping' : undefined),
      onFullScan: () => {
        this.members.changed()
        this.#applier.wake()
      },
      fail: (thrown) => this.#fail(thrown),
    }
  }

  #makeMembers(): Members {
    const { identity, deviceName, keys, database, instance, nowMs } = this.#o
    const { device, secretKey } = identity.device
    return new Members({
      database,
      prefix: this.#prefix,
      own: { device, secretKey, name: deviceName, grade: this.grade },
      instance,
      shareId: keys.shareId,
      stateKey: keys.read.stateKey,
      nowMs,
      nonce: () => randomBytes(24),
      log: this.#log,
      peers: () => this.peers,
      describe: () => ({
        feeds: this.index.feeds.view(),
        digest: this.#scanner.hasScanned ? this.index.digest() : UNKNOWN_DIGEST,
        ...this.index.counts,
        conflicts: this.conflictCount,
        problems: this.problems.size,
      }),
    })
  }

  // A5 ---------------------------------------------------------------------------------------------------------------

  #prepareRoot(): void {
    const { dir, keys, nowMs } = this.#o
    const known = this.#meta.get(META.root) as RootIdentity | undefined
    if (known === undefined) {
      try {
        fs.mkdirSync(dir, { recursive: true })
        prepareOwnDir(dir)
      } catch (cause) {
        throw new ShoalError('SHARE_UNUSABLE', `cannot use ${dir}: ${(cause as Error).message}`, { cause })
      }
    }
    const marker = readMarker(dir, keys.shareId, known)
    switch (marker.state) {
      case 'fresh':
        return this.#keepIdentity(writeMarker(dir, keys.shareId, nowMs()))
      case 'ours':
        prepareOwnDir(dir)
        return this.#keepIdentity(marker.identity)
      default:
        return this.#halt(marker.detail)
    }
  }

  #keepIdentity(identity: RootIdentity): void {
    this.#meta.put(META.root, identity)
  }

  #rootFault(): string | undefined {
    const known = this.#meta.get(META.root) as RootIdentity | undefined
    const marker = readMarker(this.#o.dir, this.#o.keys.shareId, known)
    return marker.state === 'ours' || marker.state === 'fresh' ? undefined : marker.detail
  }

  #halt(reason: string): void {
    if (this.#halted !== undefined) return
    this.#halted = reason
    this.problems.set('share', '', 'HALTED', reason)
    this.#log.error({ reason }, 'share halted')
  }

  #mustRun(): void {
    if (this.#halted !== undefined)
      throw new ShoalError('SHARE_HALTED', `${this.#o.dir} is halted: ${this.#halted}`)
  }

  /** Staged files of an earlier run, to be reused; what is no token is removed. */
  #leftovers(): string[] {
    const names = fs.readdirSync(path.join(this.#o.dir, STAGING_DIR))
    const tokens = names.filter((name) => /^[0-9a-f]{32}$/.test(name))
    cleanStaging({ root: this.#o.dir, keepTokens: tokens })
    return tokens
  }

  #loadIgnoreRules(): void {
    const file = path.join(this.#o.dir, IGNORE_FILE)
    let text = ''
    try {
      const stat = fs.lstatSync(file)
      if (stat.isFile() && stat.size <= MAX_IGNORE_BYTES) text = fs.readFileSync(file, 'utf8')
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT')
        this.#log.warn({ err: thrown }, 'cannot read ignore rules')
    }
    const before = this.#meta.get(META.ignore)
    this.#ignore = IgnoreRules.parse(text)
    this.problems.clear('scan', IGNORE_FILE)
    for (const { line, pattern, detail } of this.#ignore.problems) {
      this.problems.set('scan', IGNORE_FILE, 'IGNORE_RULE', `line ${line} (${pattern}): ${detail}`)
    }
    if (before === text) return
    this.index.transaction(() => {
      this.index.setIgnored((path, isDirectory) => this.#ignore.ignores(path, isDirectory))
      this.#meta.put(META.ignore, text)
    })
    if (before !== undefined || text !== '')
      void this.#scanner?.fullScan().catch((thrown) => this.#fail(thrown))
  }

  // Feeds ------------------------------------------------------------------------------------------------------------

  async #openOwn(): Promise<WriterId> {
    const { identity, keys, feeds, deviceName } = this.#o
    let epoch = identity.epochOf(keys.shareId)
    for (;;) {
      const keyPair = feedKeyPairOf(identity.seed, keys.shareId, epoch)
      const feed = await feeds.openOwn({ keyPair, blockKey: keys.feedBlockKey })
      const known = this.index.feeds.byWriter(feed.writer)
      // Shorter than what was taken over: the feed's storage was restored from an earlier time (F4).
      const isRolledBack = known !== undefined && feed.length < known.next
      if (feed.forked === undefined && !isRolledBack) {
        await this.#useOwn(feed, epoch, deviceName)
        return feed.writer
      }
      this.#log.warn(
        { reason: feed.forked ?? 'rolled back', epoch },
        'own feed cannot be continued, taking a new epoch',
      )
      await feed.close()
      epoch = identity.nextEpoch(keys.shareId)
    }
  }

  async #useOwn(feed: OwnFeed, epoch: number, deviceName: string): Promise<void> {
    const { identity, keys, nowMs } = this.#o
    const { device } = identity.device
    const body = { shareId: keys.shareId, feedKey: feed.key, device, deviceName, epoch }
    const certificate = signCertificate(body, keys.write!.signingSecretKey)
    const opened = openCertificate(certificate, keys.shareId, keys.publicKey)
    invariant(opened.type === 'ok', 'an own certificate is valid')
    const row = this.index.feeds.add({ ...opened.value, key: feed.key, certificate })
    this.#addToExchange(row, feed)
    const follower = this.#followerOf(row, feed, (entries, next) => this.index.noteOwnTail(next, entries))
    this.#feeds.set(feed.writer, { feed, follower })
    await follower.catchUp()
    this.#ownWriter = feed.writer
    this.#publisher = new Publisher(this.index.feeds.byWriter(feed.writer)!, {
      index: this.index,
      feed,
      entryKey: keys.read.entryKey,
      nowMs,
      nonce: () => randomBytes(24),
      labelOf: (writer) => this.#labelOf(writer),
      onPostponed: (path) => this.#scanner.markDirty([parentOf(path)], POSTPONED_MS),
      onPublished: () => this.#drain(),
    })
    feed.on('forked', ({ reason }) => void this.#renewOwn(reason).catch((thrown) => this.#fail(thrown)))
    for (const peer of this.#peers) this.#offer(peer, [row], feed)
    await this.#readopt(row)
  }

  /** F4: the own feed cannot go on; a new one takes its place and says again what the disk holds. */
  async #renewOwn(reason: string): Promise<void> {
    if (this.#stopped) return
    this.#log.warn({ reason }, 'own feed has forked, taking a new epoch')
    const before = this.#ownWriter
    this.#publisher = undefined
    this.#o.identity.nextEpoch(this.#o.keys.shareId)
    if (before !== undefined) {
      const row = this.index.feeds.byWriter(before)!
      this.index.feeds.put({ ...row, closed: true })
      await this.#feeds.get(before)?.follower.stop()
    }
    await this.#openOwn()
    this.#scanner.markDirty([''])
    void this.#scanner.fullScan().catch((thrown) => this.#fail(thrown))
  }

  /** What stands on this disk as a version of an earlier epoch of ours is published again: others may never get it. */
  async #readopt(own: IndexFeed): Promise<void> {
    const earlier = new Set(
      this.index.feeds
        .all()
        .flatMap(({ device, writer }) => (device === own.device && writer !== own.writer ? [writer] : [])),
    )
    if (earlier.size === 0 || this.#meta.get(META.readopted(own.writer)) === true) return
    const list: Publication[] = []
    for (const { path, row } of this.index.diskRows()) {
      const head = this.index.heads(path)[0]
      if (head === undefined || !earlier.has(head.author) || row.drift !== undefined) continue
      const pieces = head.type === 'file' ? this.index.piecesOf(head) : []
      if (pieces === undefined || this.index.step(path).type !== 'none') continue
      const was = head.type === 'tombstone' ? head.was : undefined
      const draft = { path, base: row.applied.version, fact: row.applied.fact, origin: head.origin, was }
      list.push({ draft, pieces, disk: { stat: row.stat } })
    }
    this.#log.info({ entries: list.length }, 'publishing again in the new epoch')
    await this.#publish(list)
    this.#meta.put(META.readopted(own.writer), true)
  }

  async #openFeed(row: IndexFeed): Promise<void> {
    if (row.closed || this.#feeds.has(row.writer)) return
    const feed = await this.#o.feeds.openRemote({ feedKey: row.key, blockKey: this.#o.keys.feedBlockKey })
    if (this.#stopped || this.#feeds.has(row.writer)) return
    const follower = this.#followerOf(row, feed)
    this.#feeds.set(row.writer, { feed, follower })
    this.#addToExchange(row, feed)
    feed.on('forked', ({ reason }) => {
      this.#log.warn({ writer: row.writer, device: row.deviceName, reason }, 'a feed has forked, leaving it')
      this.index.feeds.put({ ...this.index.feeds.byWriter(row.writer)!, closed: true })
    })
    follower.start()
    for (const peer of this.#peers) this.#offer(peer, [row], feed)
  }

  #followerOf(row: IndexFeed, feed: Feed, onTaken?: FollowerOptions['onTaken']): Follower {
    return new Follower(row, {
      ...(onTaken === undefined ? {} : { onTaken }),
      index: this.index,
      feed,
      entryKey: this.#o.keys.read.entryKey,
      problems: this.problems,
      log: this.#log,
      onIngested: () => this.#drain(),
    })
  }

  #addToExchange(row: IndexFeed, feed: Feed): void {
    const have = new Bitfield(row.pieceCount)
    for (let i = 0; i < row.pieceCount; i++) {
      const piece = this.index.pieces.at(row.number, i)
      if (piece !== undefined && this.index.pieces.isHeld(piece.id)) have.set(i)
    }
    this.exchange.addFeed({
      writer: row.writer,
      discoveryKey: feed.discoveryKey,
      pieceCount: row.pieceCount,
      have,
    })
  }

  async #publish(list: readonly Publication[]): Promise<void> {
    if (list.length === 0) return this.#drain()
    await this.#met
    const publisher = this.#publisher
    // Between two epochs there is nowhere to publish to; the scan that follows finds all of it again.
    if (publisher === undefined) return
    try {
      await publisher.publish(list)
    } catch (thrown) {
      if (toShoalError(thrown).code !== 'FEED_CORRUPT') throw thrown
      this.#log.warn({ err: thrown }, 'could not publish')
    }
  }

  // Peers ------------------------------------------------------------------------------------------------------------

  #onPeer(peer: SharePeer): void {
    this.#log.info(
      { peer: peer.name, device: peer.device.slice(0, 8), transport: peer.transport, address: peer.address },
      'peer connected',
    )
    this.#peers.add(peer)
    peer.on('close', (reason) => {
      this.#peers.delete(peer)
      this.members.seen(peer.device)
      this.#log.info({ peer: peer.name, device: peer.device.slice(0, 8), reason }, 'peer gone')
    })
    peer.on(
      'certificates',
      (list) => void this.#onCertificates(peer, list).catch((thrown) => this.#fail(thrown)),
    )
    peer.on('states', (list) => {
      this.members.receive(peer, list)
      this.#metAnybody()
    })
    this.exchange.attach(peer)
    peer.sendCertificates(this.index.feeds.all().map(({ certificate }) => certificate))
    for (const { feed } of this.#feeds.values()) feed.replicate(peer.stream)
    this.members.greet(peer)
    this.#rememberAddresses()
  }

  #offer(peer: SharePeer, rows: readonly IndexFeed[], feed: Feed): void {
    peer.sendCertificates(rows.map(({ certificate }) => certificate))
    feed.replicate(peer.stream)
  }

  /** K5: only feeds that the share's signing key vouches for are opened. */
  async #onCertificates(peer: SharePeer, list: readonly Buffer[]): Promise<void> {
    const { keys } = this.#o
    for (const bytes of list) {
      const opened = openCertificate(bytes, keys.shareId, keys.publicKey)
      if (opened.type === 'violation') {
        this.#log.warn({ peer: peer.device, code: opened.code, detail: opened.detail }, 'certificate refused')
        peer.ban('sent a certificate that is not valid', 60_000)
        return
      }
      const { writer, feedKey, device, deviceName, epoch } = opened.value
      if (this.index.feeds.byWriter(writer) !== undefined) continue
      const certificate = Buffer.from(bytes)
      const row = this.index.feeds.add({
        writer,
        key: Buffer.from(feedKey),
        device,
        deviceName,
        epoch,
        certificate,
      })
      this.#log.info({ writer, device: deviceName, epoch }, 'new writer')
      await this.#openFeed(row)
    }
  }

  #rememberAddresses(): void {
    if (this.#swarm !== undefined) this.#meta.put(META.addresses, this.#swarm.known())
  }

  // Changes ----------------------------------------------------------------------------------------------------------

  /** Tells everybody concerned what changed in the index; collected, so that many transactions cost one round. */
  #drain(): void {
    if (this.#draining || this.#stopped) return
    this.#draining = true
    setImmediate(() => {
      this.#draining = false
      if (this.#stopped) return
      const { wanted, held } = this.index.drain()
      for (const { number, writer, pieceCount } of this.index.feeds.all()) {
        if (!this.#feeds.has(writer)) continue
        this.exchange.grow(writer, pieceCount)
        const changes = held.get(number)
        if (changes === undefined) continue
        this.exchange.have(
          writer,
          [...changes].filter(([, is]) => is).map(([i]) => i),
        )
        this.exchange.lost(
          writer,
          [...changes].filter(([, is]) => !is).map(([i]) => i),
        )
      }
      this.#applier.note(wanted)
      this.members.changed()
      if (this.index.hasUnsettled && this.#publisher !== undefined) this.#settleSoon()
    })
  }

  /** Settles when it has been quiet for a moment: see SETTLE_QUIET_MS. */
  #settleSoon(): void {
    const now = performance.now()
    this.#settleLatestMs = Math.min(this.#settleLatestMs, now + SETTLE_LATEST_MS)
    clearTimeout(this.#settleTimer)
    const waitMs = Math.max(0, Math.min(SETTLE_QUIET_MS, this.#settleLatestMs - now))
    this.#settleTimer = setTimeout(() => {
      this.#settleLatestMs = Number.POSITIVE_INFINITY
      void this.#settleConflicts().catch((thrown) => this.#fail(thrown))
    }, waitMs)
  }

  /** Writers publish what settles conflicts (V4, V5, V6); all of them may, and agree. */
  async #settleConflicts(): Promise<void> {
    if (this.#publisher === undefined || this.#settling !== undefined) return this.#settling
    this.#settling = this.#settleAll().finally(() => {
      this.#settling = undefined
    })
    return this.#settling
  }

  async #settleAll(): Promise<void> {
    for (;;) {
      const list: Publication[] = []
      for (const path of this.index.unsettled().slice(0, SETTLE_BATCH)) {
        const drafts = this.index.settlement(path, (writer) => this.#labelOf(writer))
        const settled = drafts.flatMap((draft): Publication[] => {
          const pieces =
            draft.fact.type === 'file' ? this.index.piecesOfContent(path, draft.fact.content) : []
          return pieces === undefined ? [] : [{ draft, pieces, disk: undefined }]
        })
        // All of it or nothing: without its copies, the entry that settles would bury them.
        if (settled.length === drafts.length) list.push(...settled)
      }
      if (list.length === 0 || this.#publisher === undefined || this.#stopped) return
      await this.#publish(list)
    }
  }

  #labelOf(writer: WriterId): string {
    const feed = this.index.feeds.byWriter(writer)
    return feed === undefined ? writer : deviceLabel(feed.deviceName)
  }

  #fail(thrown: unknown): void {
    if (this.#stopped) return
    this.#log.error({ err: thrown }, 'share stopped by an unexpected error')
    this.#onFatal(thrown)
  }
}

const META = {
  root: pathKey('root' as RelPath),
  ignore: pathKey('ignore' as RelPath),
  addresses: pathKey('addresses' as RelPath),
  readopted: (writer: WriterId): Buffer => pathKey(`readopted-${writer}` as RelPath),
}
