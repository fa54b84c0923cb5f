// A share that this device keeps without being able to read it: its feeds whole and every piece that is live, or that a kept
// moment of the past needs, in a vault (src/vault). It takes part in the swarm as any member does and serves what it holds.
//
// B1. Nothing is told to be here (have, a state) before it is durable in the vault.
// B2. A vault that is another share's, or is gone from where it was, halts the share until somebody approves (A5).
// B3. What can be rebuilt is: with the database lost, the vault and its feeds are taken over again and nothing is fetched.
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { ShoalError } from '../../core/error.js'
import { formatHead, headTag } from '../../core/head.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { Standing } from '../../core/inquiry.js'
import type { Secret } from '../../core/secret.js'
import { Exchange } from '../../exchange/exchange.js'
import type { Log } from '../../ports/log.js'
import { BlindIndex } from '../../store/blind-index.js'
import type { SharePeer } from '../../swarm/share-channel.js'
import type { ShareSwarm } from '../../swarm/share-swarm.js'
import type { PackStorage } from '../../vault/pack-storage.js'
import type { BucketHealth } from '../../vault/s3/s3-storage.js'
import type { VaultStats } from '../../vault/stored.js'
import { Auditee } from '../audit/auditee.js'
import { realPlace, shareAbove } from '../free-folder.js'
import { VaultScrub } from '../scrub/vault-scrub.js'
import { Inquiries } from '../share/inquiries.js'
import { ShareMeta } from '../share/meta.js'
import { ProblemBook } from '../share/problems.js'
import { ShareRoot } from '../share/root.js'
import { observedBlind, ShareObserver } from '../share/share-observer.js'
import { type ShareState, tablePrefix } from '../share/share-options.js'
import { SharePeers } from '../share/share-peers.js'
import { BlindCopies } from './blind-copies.js'
import type { BlindCounts } from './blind-counts.js'
import { meetBlind } from './blind-meeting.js'
import { BlindMembers } from './blind-members.js'
import type { BlindShareOptions } from './blind-options.js'
import { EarlyCertificates } from './early-certificates.js'
import { Keeping } from './keeping.js'
import { PassedStates } from './passed-states.js'
import { VaultOpening } from './vault-opening.js'
import { VaultPieces } from './vault-pieces.js'

/** Pieces asked for and not complete. */
const IN_FLIGHT_BYTES = 16 << 20
const SETTLE_POLL_MS = 20
const NOTHING = { pieces: 0, bytes: 0 }
const NO_COUNTS: BlindCounts = { live: NOTHING, missing: NOTHING, past: NOTHING, missingPast: NOTHING }

export class BlindShare {
  readonly grade = 'blind' as const
  readonly index: BlindIndex
  readonly problems: ProblemBook
  readonly exchange: Exchange
  /** Members who read, whose states are passed on unread. */
  readonly passedStates: PassedStates
  readonly blindMembers: BlindMembers
  readonly inquiries: Inquiries
  readonly observer: ShareObserver
  /** Looking for damage in the vault. */
  readonly scrub: VaultScrub
  /** What counts as a copy here, and whether this device may be powered off. */
  readonly copies: BlindCopies
  readonly #auditee: Auditee
  readonly #source: VaultPieces
  readonly #o: BlindShareOptions
  readonly #log: Log
  readonly #meta: ShareMeta
  readonly #root: ShareRoot
  readonly #peers: SharePeers
  readonly #onFatal: (thrown: unknown) => void
  readonly #opening: VaultOpening
  #settings: Pick<BlindShareOptions, 'copies' | 'isOffsite'>
  #halted: string | undefined
  #stopped = false

  /** `onFatal`: something that should not happen has ended it. SHARE_UNUSABLE. */
  constructor(options: BlindShareOptions, onFatal: (thrown: unknown) => void) {
    this.#o = options
    this.#onFatal = onFatal
    this.#settings = options
    const { keys, dir, database, identity, nowMs, rates } = options
    const { device, secretKey } = identity.device
    const { shareId, blindStateKey } = keys
    const log = options.log.child({ dir })
    this.#log = log
    // Apart from what a share that can be read keeps: somebody may have been given the read secret since.
    const prefix = `${tablePrefix(shareId)}blind:`
    this.#meta = new ShareMeta(database, prefix)
    this.#root = new ShareRoot(dir, shareId, this.#meta, nowMs)
    this.index = new BlindIndex(database, prefix)
    this.observer = new ShareObserver({ note: options.noteEvent, nowMs, share: observedBlind(this) })
    this.problems = new ProblemBook(nowMs, undefined, (problem, isThere) => {
      this.observer.problem(problem, isThere)
      this.#changed()
    })
    this.#opening = new VaultOpening({
      ...{ meta: this.#meta, problems: this.problems, log, onFatal },
      early: new EarlyCertificates(shareId, keys.publicKey),
      isNew: this.#meta.root === undefined,
      openStorage: options.openStorage,
      open: (storage) => this.#openIn(storage),
      isHalted: () => this.#halted !== undefined,
      halt: (reason) => this.#halt(reason),
      onOpen: () => this.#changed(),
    })
    const source = new VaultPieces({
      ...{ index: this.index, vault: () => this.keeping?.vault, problems: this.problems },
      onServable: (writer, numbers) => this.exchange.have(writer, numbers),
    })
    this.#source = source
    const fail = (thrown: unknown): void => this.#fail(thrown)
    this.#auditee = new Auditee({ source, own: device, shareId, log, fail })
    this.scrub = new VaultScrub({
      ...{ database, prefix, nowMs, log, fail, everyMs: options.scrubEveryMs },
      vault: () => this.keeping?.vault,
      note: (fact) => this.observer.note(fact),
    })
    this.exchange = new Exchange({
      device,
      source,
      log,
      seed: randomBytes(4).readUInt32LE(),
      maxInFlightBytes: IN_FLIGHT_BYTES,
      ...rates.forExchange,
    })
    const peers = (): readonly SharePeer[] => this.peers
    this.passedStates = new PassedStates({ database, prefix, device, shareId, nowMs, log, peers })
    this.blindMembers = new BlindMembers({
      ...{ database, prefix, device, shareId, blindStateKey, nowMs, log, peers },
      own: {
        secretKey,
        name: options.deviceName,
        instance: options.instance,
        nonce: () => randomBytes(24),
        describe: () => this.#describe(),
      },
    })
    this.inquiries = new Inquiries({
      own: identity.device,
      ...{ shareId, nowMs, log, peers },
      publishState: () => this.blindMembers.publishNow(),
      isMember: (other) => this.hasMember(other),
      onHeard: (other) => this.#seen(other),
      settle: async () => {
        this.#mustRun()
        await this.keeping?.watch.lookIfReachable()
      },
      standing: () => this.standing,
    })
    this.copies = new BlindCopies(
      {
        ...{ authKey: keys.authKey, log },
        isOffsite: () => this.#settings.isOffsite,
        promise: () => this.#settings.copies,
        isStopped: () => this.#stopped,
      },
      this,
    )
    const { exchange, copies, passedStates, blindMembers, inquiries } = this
    const meeting = {
      ...{ exchange, copies, passedStates, blindMembers, inquiries },
      ...{ opening: this.#opening, auditee: this.#auditee },
    }
    this.#peers = new SharePeers({
      ...{ meta: this.#meta, log, nowMs },
      note: (fact) => this.observer.note(fact),
      meet: (peer) => meetBlind(peer, meeting),
      left: (peer) => {
        this.#opening.left(peer)
        this.#seen(peer.device)
      },
    })
    const fault = this.#nested ?? this.#root.prepare()
    if (fault !== undefined) this.#halt(fault)
  }

  get dir(): string {
    return this.#o.dir
  }

  /** Why there must be no vault here: a share would carry its packs, the vault that keeps that share then those, for ever. */
  get #nested(): string | undefined {
    const share = shareAbove(realPlace(path.resolve(this.dir)))
    if (share === undefined) return undefined
    return `the vault would lie in a share, ${share}, which would carry it: name a folder apart from it`
  }

  get shareId(): ShareId {
    return this.#o.keys.shareId
  }

  /** Of this share; told on an explicit call alone. */
  get secret(): Secret {
    return this.#o.secret
  }

  get haltReason(): string | undefined {
    return this.#halted
  }

  /** Whether the vault is open and was looked through since the start. */
  get hasScanned(): boolean {
    return this.keeping !== undefined
  }

  get state(): ShareState {
    if (this.#halted !== undefined) return 'halted'
    if (this.#peers.pausedMs !== undefined) return 'paused'
    if (this.keeping === undefined) return 'scanning'
    return this.keeping.isAtRest ? 'idle' : 'syncing'
  }

  /** Where this device stands, for those who ask: at rest once it holds all that is live of what it has heard of. */
  get standing(): Standing {
    const { state } = this
    if (state === 'halted' || state === 'paused') return state
    return state === 'idle' ? 'at-rest' : 'working'
  }

  get peers(): readonly SharePeer[] {
    return [...this.#peers.connected]
  }

  get counts(): BlindCounts {
    return this.keeping?.book.counts ?? NO_COUNTS
  }

  /** Undefined until the vault is open. */
  get vaultStats(): VaultStats | undefined {
    return this.keeping?.vault.stats()
  }

  /** The vault while it is open and the share is not halted. */
  get keeping(): Keeping | undefined {
    return this.#opening.keeping
  }

  /** How far the share is read and durable here (core/head.ts). */
  get head(): string {
    return formatHead(headTag(this.shareId), this.keeping?.feeds.view ?? [])
  }

  hasMember(device: DeviceId): boolean {
    return this.passedStates.has(device) || this.blindMembers.has(device)
  }

  /** Whether a device has proved that it may write (K5). */
  isWriter(device: DeviceId): boolean {
    return this.index.feeds.all().some((feed) => feed.device === device)
  }

  /** What people call a member, as far as it can be told here. */
  memberName(device: DeviceId): string | undefined {
    const feed = this.index.feeds.all().find((each) => each.device === device)
    return this.blindMembers.nameOf(device) ?? feed?.deviceName
  }

  /** Drops a member until it says something new itself. */
  forget(device: DeviceId): void {
    this.passedStates.forget(device)
    this.blindMembers.forget(device)
  }

  /** Opens the vault, which may take long, beside whatever else goes on. */
  async start(): Promise<void> {
    this.observer.start()
    this.scrub.start()
    this.#opening.soon()
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

  /** Other settings, from now on. */
  adjust(settings: Pick<BlindShareOptions, 'scrubEveryMs' | 'copies' | 'isOffsite'>): void {
    this.scrub.everyMs = settings.scrubEveryMs
    this.#settings = settings
    this.#changed()
  }

  /** How it stands with the bucket that the vault lies in. */
  noteBucket(health: BucketHealth): void {
    if (health.type === 'well') this.problems.clear('bucket', '')
    else {
      const { code, message } = health.error
      this.problems.set(
        'bucket',
        '',
        code,
        `${message}; what is stored waits in the spool, and it is tried again`,
      )
    }
  }

  /** Counts what is held anew. */
  async scan(): Promise<void> {
    this.#mustRun()
    await this.#opening.settled()
    await this.keeping?.watch.lookIfReachable()
    this.keeping?.keeper.renew()
    await this.settle()
  }

  /** Resolves when what is known of the feeds is read and counted. */
  async settle(): Promise<void> {
    this.#mustRun()
    await this.#opening.settled()
    for (;;) {
      const keeping = this.keeping
      if (this.#stopped || keeping === undefined) return
      if (keeping.isStuck || (!keeping.feeds.isBehind && keeping.keeper.isAtRest)) return
      await new Promise((resolve) => setTimeout(resolve, SETTLE_POLL_MS))
    }
  }

  /** Lifts a halt (B2): the vault begins anew where there is none. SHARE_HALTED if it cannot. */
  approve(): void {
    if (this.#halted === undefined) return
    const nested = this.#nested
    if (nested !== undefined) throw new ShoalError('SHARE_HALTED', `cannot go on with ${this.dir}: ${nested}`)
    this.#root.approve()
    this.#log.info({ reason: this.#halted }, 'approved, going on')
    this.#halted = undefined
    this.#meta.hasVault = false
    this.problems.clear('share', '')
    this.#opening.soon()
    this.observer.poke()
  }

  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#opening.stop()
    this.observer.stop()
    await this.#peers.close()
    this.blindMembers.stop()
    this.inquiries.stop()
    this.copies.talk.stop()
    this.#source.stop()
    this.exchange.close()
    await Promise.all([this.scrub.stop(), this.#auditee.stop()])
    await this.#opening.close()
  }

  #openIn(storage: PackStorage): Promise<Keeping> {
    const { keys, database, feeds: store, nowMs } = this.#o
    return Keeping.open({
      ...{ keys, storage, database, store, nowMs, index: this.index, exchange: this.exchange },
      ...{ problems: this.problems, log: this.#log, meta: this.#meta },
      vaultPrefix: `${tablePrefix(this.shareId)}vault:`,
      policy: () => this.#o.history,
      peers: () => this.#peers.connected,
      onChange: () => this.#changed(),
      countDamage: (found, repaired) => this.scrub.count(found, repaired),
      fail: (thrown) => this.#fail(thrown),
      signal: this.#opening.signal,
    })
  }

  #describe(): ReturnType<NonNullable<ConstructorParameters<typeof BlindMembers>[0]['own']>['describe']> {
    const { live, missing, past } = this.counts
    return {
      feeds: this.keeping?.feeds.view ?? [],
      pieces: live.pieces,
      bytes: live.bytes,
      missingPieces: missing.pieces,
      missingBytes: missing.bytes,
      pastPieces: past.pieces,
      pastBytes: past.bytes,
      problems: this.problems.size,
      offsite: this.#settings.isOffsite,
    }
  }

  #changed(): void {
    if (this.#stopped) return
    this.blindMembers.changed()
    this.observer.poke()
  }

  #seen(device: DeviceId): void {
    this.passedStates.seen(device)
    this.blindMembers.seen(device)
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
      throw new ShoalError('SHARE_HALTED', `${this.dir} is halted: ${this.#halted}`)
  }

  #fail(thrown: unknown): void {
    if (this.#stopped) return
    this.#log.error({ err: thrown }, 'share stopped by an unexpected error')
    this.#onFatal(thrown)
  }
}
