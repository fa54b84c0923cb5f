// The shares of a daemon, from their settings to running shares that take part in the swarm and back: makes them, starts
// them, lets them join, hands them settings that changed, stops them; all together, or one that is added or removed while
// the others run. What they have in common (database, feeds, swarm) is the daemon's, and outlives them.
import { join } from 'node:path'
import type { Config, ShareConfig } from '../config/config.js'
import type { ReloadPlan } from '../config/reload.js'
import { type DriftRule, RESTORE_ALL } from '../core/drift-rules.js'
import { invariant } from '../core/error.js'
import { DEFAULT_RETENTION, KEEP_ALL } from '../core/retention.js'
import { keysOf, type Secret, type ShareKeys } from '../core/secret.js'
import type { FeedStore } from '../feed/store.js'
import { archiveDays } from '../folder/archive-age.js'
import type { FolderPool } from '../folder/pool.js'
import type { HookSlots } from '../hooks/slots.js'
import type { AccountCache } from '../instance/account-cache.js'
import type { Log } from '../ports/log.js'
import type { Database } from '../store/tables.js'
import type { Swarm } from '../swarm/swarm.js'
import { openVaultStorage } from '../vault/open-storage.js'
import type { PackStorage } from '../vault/pack-storage.js'
import { type AnyShare, isReadable } from './any-share.js'
import { BlindShare } from './blind/blind-share.js'
import type { EventBook } from './events.js'
import type { Identity } from './identity.js'
import { lockDirectory, type StorageLock } from './lock.js'
import type { RateLimits } from './rate-limits.js'
import { Share } from './share/share.js'
import { type ShareHooks, type ShareSettings, tablePrefix } from './share/share-options.js'
import { metadataFor } from './share-metadata.js'

export interface SharesOptions {
  /** The settings in force. */
  readonly config: () => Config<Secret>
  /** Folders that are not in the configuration file. */
  readonly added: readonly ShareConfig<Secret>[]
  readonly identity: Identity
  readonly pool: FolderPool
  readonly database: Database
  readonly feeds: FeedStore
  readonly swarm: Swarm
  readonly hookSlots: HookSlots
  readonly accounts: AccountCache
  readonly events: EventBook
  readonly rates: RateLimits
  readonly log: Log
  /** Something that should not happen. */
  readonly fail: (thrown: unknown) => void
}

interface Running {
  readonly settings: ShareConfig<Secret>
  readonly share: AnyShare
  readonly lock: StorageLock | undefined
}

export class Shares {
  readonly #o: SharesOptions
  #running: Running[] = []

  constructor(options: SharesOptions) {
    this.#o = options
  }

  /** In the order of the configuration, and then those that were added. */
  get all(): readonly AnyShare[] {
    return this.#running.map(({ share }) => share)
  }

  get settings(): readonly ShareConfig<Secret>[] {
    return this.#running.map(({ settings }) => settings)
  }

  /** Makes all, and takes the locks on their directories. SHARE_UNUSABLE. */
  make(): void {
    for (const settings of [...this.#o.config().shares, ...this.#o.added])
      this.#running.push(this.#make(settings, this.#running.length))
  }

  async start(): Promise<void> {
    for (const { share } of this.#running) await share.start()
  }

  /** Takes part in the swarm, which has started. */
  join(): void {
    for (const running of this.#running) this.#join(running)
  }

  /** Settings that can change live have. */
  adjust(plan: ReloadPlan): void {
    const config = this.#o.config()
    for (const [at, { share }] of this.#running.entries()) {
      const settings = config.shares[at]
      const newest = settings ?? this.#running[at]!.settings
      if (isReadable(share)) share.adjust(shareSettings(config, newest))
      else share.adjust({ ...newest, copies: newest.copies })
      if (settings === undefined) continue
      if (isReadable(share)) share.setHooks(hooksAt(config, at))
      if (plan.live.some(({ key }) => key.endsWith('.known_hosts'))) share.setKnownHosts(settings.knownHosts)
      if (isReadable(share) && plan.live.some(({ key }) => /\.(drift|overwrite_changes)$/.test(key)))
        share.drift.setRules(driftRules(settings))
    }
  }

  /**
   * Believes nothing of what the index knew of a share from an earlier time: it may have another directory now, and what is
   * missing there would be taken for deleted. Not of one that is served.
   */
  forget({ secret }: ShareConfig<Secret>): void {
    const { shareId } = keysOf(secret)
    invariant(!this.all.some((share) => share.shareId === shareId), 'a share that is served keeps its index')
    this.#o.database.clear(tablePrefix(shareId))
  }

  /** Begins to serve one more, as the last, that forget() was called for. SHARE_UNUSABLE, IO. */
  async add(settings: ShareConfig<Secret>): Promise<void> {
    await this.#insert(settings, this.#running.length)
  }

  /** Serves a share with other settings; what can change live does, for others it begins anew. */
  async change(at: number, settings: ShareConfig<Secret>): Promise<void> {
    const before = this.#running[at]!
    const isLive = JSON.stringify(withoutHosts(before.settings)) === JSON.stringify(withoutHosts(settings))
    if (isLive) {
      before.share.setKnownHosts(settings.knownHosts)
      this.#running[at] = { ...before, settings }
      return
    }
    await this.#take(before)
    await this.#insert(settings, at)
  }

  /** Serves one no longer. Its directory stays as it is, and so do its feeds. */
  async remove(at: number): Promise<void> {
    const running = this.#running[at]!
    await this.#take(running)
    this.forget(running.settings)
  }

  /** Ends the programs that hooks run; the shares wait for that when they stop. */
  stopHooks(): void {
    void Promise.all(this.all.filter(isReadable).map((share) => share.hooks.stop()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.all.map((share) => share.stop()))
  }

  /** Gives the directories back; work in them may be under way until the pool has closed. */
  release(): void {
    for (const { lock } of this.#running) lock?.release()
    this.#running = []
  }

  async #insert(settings: ShareConfig<Secret>, at: number): Promise<void> {
    const made = this.#make(settings, at)
    try {
      await made.share.start()
      this.#join(made)
    } catch (thrown) {
      await made.share.stop()
      made.lock?.release()
      throw thrown
    }
    this.#running.splice(at, 0, made)
  }

  async #take(running: Running): Promise<void> {
    const { share, lock } = running
    this.#running = this.#running.filter((each) => each !== running)
    if (isReadable(share)) await share.hooks.stop()
    await share.stop()
    lock?.release()
  }

  #make(settings: ShareConfig<Secret>, at: number): Running {
    const { dir } = settings
    const early = lockDirectory(dir)
    try {
      const share = this.#makeShare(settings, at)
      // A new one has its folder, and so its lock, only now.
      return { settings, share, lock: early ?? lockDirectory(dir) }
    } catch (thrown) {
      early?.release()
      throw thrown
    }
  }

  #join({ settings, share }: Running): void {
    const { knownHosts, searchLan, useDht, useRelay, secret } = settings
    const ways = { knownHosts, searchLan, useDht, useRelay }
    share.join(() => this.#o.swarm.addShare({ keys: keysOf(secret), ...ways }))
  }

  #makeShare(settings: ShareConfig<Secret>, at: number): AnyShare {
    const { dir, secret, useSyncTrash, followsReleases, hardLinks, sparse, padding } = settings
    const keys = keysOf(secret)
    const { read } = keys
    if (read === undefined) return this.#makeBlind(settings, keys)
    const { pool, database, feeds, swarm, hookSlots, identity, accounts, events, rates, log, fail } = this.#o
    const config = this.#o.config()
    return new Share(
      {
        dir,
        useSyncTrash,
        followsReleases,
        secret,
        rates,
        drift: driftRules(settings),
        hardLinks,
        sparse,
        padding: padding ?? 'follow',
        deviceName: config.deviceName,
        settings: shareSettings(config, settings),
        hooks: hooksAt(config, at),
        hookSlots,
        pool,
        database,
        feeds,
        keys: { ...keys, read },
        identity,
        metadata: metadataFor(settings, accounts),
        instance: swarm.instance,
        log,
        noteEvent: (fact) => events.add(dir, fact),
        nowMs: Date.now,
      },
      fail,
    )
  }

  #makeBlind(settings: ShareConfig<Secret>, keys: ShareKeys): BlindShare {
    const { dir, secret } = settings
    const { database, feeds, swarm, identity, events, rates, log, fail } = this.#o
    const share: BlindShare = new BlindShare(
      {
        ...{ dir, keys, secret, database, feeds, identity, rates, log },
        openStorage: () => openStorage(settings, share, rates, log),
        scrubEveryMs: settings.scrubEveryMs,
        history: settings.history ?? DEFAULT_RETENTION,
        isOffsite: settings.isOffsite,
        copies: settings.copies,
        deviceName: this.#o.config().deviceName,
        instance: swarm.instance,
        noteEvent: (fact) => events.add(dir, fact),
        nowMs: Date.now,
      },
      fail,
    )
    return share
  }
}

/** Where the packs of a share's vault lie. */
function openStorage(
  { dir, vault }: ShareConfig<Secret>,
  share: BlindShare,
  rates: RateLimits,
  log: Log,
): Promise<PackStorage> {
  return openVaultStorage({
    place: vault ?? dir,
    spoolDir: join(dir, 'spool'),
    log,
    onHealth: (health) => share.noteBucket(health),
    pace: (bytes) => rates.paceUpload(bytes),
  })
}

function shareSettings(
  config: Config,
  { keepReleases, history, scrubEveryMs, copies, isOffsite }: ShareConfig,
): ShareSettings {
  const { rescanIntervalMs, trashTtlDays, maxVersionedBytes, peerExpirationDays } = config
  return {
    rescanIntervalMs,
    trashTtlDays: archiveDays(trashTtlDays, history ?? KEEP_ALL),
    maxVersionedBytes: maxVersionedBytes ?? Number.POSITIVE_INFINITY,
    peerExpirationDays,
    keepReleases,
    scrubEveryMs,
    copies,
    isOffsite,
  }
}

/** None with a write secret: what a device noted while it was a reader is not to be undone for that. */
function driftRules({ secret, overwriteChanges, drift }: ShareConfig<Secret>): readonly DriftRule[] {
  if (secret.grade === 'write') return []
  return overwriteChanges ? RESTORE_ALL : drift
}

/** Those that were added have none. */
function hooksAt({ shares, storagePath }: Config, at: number): ShareHooks {
  const before = shares.slice(0, at).reduce((count, { onChange }) => count + onChange.length, 0)
  return { specs: shares[at]?.onChange ?? [], before, scratch: storagePath }
}

function withoutHosts({
  knownHosts: _,
  position: __,
  secret: ___,
  ...settings
}: ShareConfig<Secret>): object {
  return settings
}
