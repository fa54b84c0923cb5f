// What joining would do, without doing it: meets the members of a configuration's shares as a device of the moment, reads
// what they say, compares it with the folders, and leaves no trace. Promises: nothing in a folder is changed or made, no
// marker either; the device that is met is nobody's member (reading.ts) and its address is passed on to nobody; what is
// read lies in a folder for temporary files, mode 0700, that is removed however this ends short of kill -9.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Config, ShareConfig } from '../../config/config.js'
import { deviceKeysOf } from '../../core/device.js'
import { ShoalError } from '../../core/error.js'
import { KEY_BYTES } from '../../core/keys.js'
import { IGNORE_FILE, parsePath } from '../../core/path.js'
import { keysOf, type ReadKeys, type Secret, type ShareKeys } from '../../core/secret.js'
import { FeedStore } from '../../feed/store.js'
import { IgnoreRules, MAX_IGNORE_BYTES } from '../../folder/ignore.js'
import { findMarker } from '../../folder/marker.js'
import { FolderPool } from '../../folder/pool.js'
import { type Log, silentLog } from '../../ports/log.js'
import { openLmdb } from '../../store/lmdb.js'
import type { Database } from '../../store/tables.js'
import { Swarm } from '../../swarm/swarm.js'
import { lockStorage, type StorageLock } from '../lock.js'
import { wayOut } from '../way-out.js'
import { compareTree } from './compare.js'
import { ShareReading } from './reading.js'
import type { PreviewPath, PreviewProgress, PreviewReport, SharePreview } from './report.js'

export interface PreviewOptions {
  /** Given up after so long without anybody or anything new. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Every path that is not the same, as it is found. */
  readonly onPath?: (path: PreviewPath) => void
  /** Often. */
  readonly onProgress?: (progress: PreviewProgress) => void
  readonly log?: Log
  /** UDP port of the LAN beacon, for tests that must not meet other daemons. */
  readonly beaconPort?: number
}

/** Once all that was told is read, another member may still be on the way: a dial, a hop through the DHT. */
const QUIET_MS = 2000
const POLL_MS = 50

interface Part {
  readonly share: ShareConfig<Secret>
  readonly keys: ShareKeys & { readonly read: ReadKeys }
  readonly reading: ShareReading
}

/**
 * Compares the folders of a configuration, whose secrets must be read already, with their shares. Throws STORAGE_LOCKED
 * if its daemon is running, SHARE_UNUSABLE for a folder that cannot be read, and the signal's reason.
 */
export async function preview(config: Config<Secret>, options: PreviewOptions): Promise<PreviewReport> {
  for (const { dir } of config.shares) checkReadable(dir)
  const ranBefore = fs.existsSync(path.join(config.storagePath, 'identity.json'))
  const lock = lockIfThere(config)
  const temporary = fs.mkdtempSync(path.join(tmpdir(), 'shoal-preview-'))
  try {
    return await new Preview(config, options, ranBefore).run(temporary)
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
    lock?.release()
  }
}

class Preview {
  readonly #config: Config<Secret>
  readonly #options: PreviewOptions
  readonly #log: Log
  readonly #ranBefore: boolean
  #metAtMs = performance.now()
  #newsAtMs = performance.now()
  #failure: unknown

  constructor(config: Config<Secret>, options: PreviewOptions, ranBefore: boolean) {
    this.#config = config
    this.#options = options
    this.#log = options.log ?? silentLog
    this.#ranBefore = ranBefore
  }

  async run(temporary: string): Promise<PreviewReport> {
    const closing: (() => unknown)[] = []
    try {
      const index = path.join(temporary, 'index')
      fs.mkdirSync(index)
      const database = openLmdb(index)
      closing.push(() => database.close())
      const { store } = await FeedStore.open(path.join(temporary, 'cores'), { log: this.#log })
      closing.push(() => store.close())
      const parts = this.#config.shares.map((share) => this.#part(share, database, store))
      closing.push(() => Promise.all(parts.map(({ reading }) => reading.stop())))
      const swarm = this.#makeSwarm()
      closing.push(() => swarm.stop())
      await swarm.start()
      for (const { share, keys, reading } of parts) {
        const { knownHosts, searchLan, useDht, useRelay } = share
        reading.join(swarm.addShare({ keys, knownHosts, searchLan, useDht, useRelay }))
      }
      await this.#listen(parts)
      // What comes from now on would move what is being compared.
      await swarm.stop()
      for (const { reading } of parts) await reading.stop()
      const pool = new FolderPool()
      closing.push(() => pool.close())
      const shares: SharePreview[] = []
      for (const part of parts) shares.push(await this.#compare(part, database, pool))
      return { config: this.#config.fileName, shares }
    } finally {
      for (const close of closing.reverse()) await close()
    }
  }

  #part(share: ShareConfig<Secret>, database: Database, feeds: FeedStore): Part {
    const all = keysOf(share.secret)
    const { read } = all
    if (read === undefined)
      throw new ShoalError('NOT_YET', `${share.dir}: blind secrets show no tree to compare`)
    const keys = { ...all, read }
    const reading = new ShareReading({
      keys,
      database,
      feeds,
      log: this.#log,
      nowMs: Date.now,
      onMet: () => {
        this.#metAtMs = performance.now()
      },
      onNews: () => {
        this.#newsAtMs = performance.now()
      },
      onFailure: (thrown) => {
        this.#failure ??= thrown
      },
    })
    return { share, keys, reading }
  }

  #makeSwarm(): Swarm {
    const { deviceName, listenHost, interfaces, relays } = this.#config
    const { beaconPort } = this.#options
    return new Swarm({
      // Nobody's for longer than this: the configuration's own device has not joined.
      device: deviceKeysOf(randomBytes(KEY_BYTES)),
      deviceName,
      listeningPort: 0,
      isPassing: true,
      ...(listenHost === undefined ? {} : { listenHost }),
      ...(interfaces === undefined ? {} : { interfaces }),
      ...(beaconPort === undefined ? {} : { beaconPort }),
      relays,
      ...wayOut({ ...this.#config, dhtNode: false }, this.#log),
      log: this.#log,
    })
  }

  /** Waits until all that can be had is read, or nothing more comes for too long. */
  async #listen(parts: readonly Part[]): Promise<void> {
    const { signal, timeoutMs } = this.#options
    for (;;) {
      signal.throwIfAborted()
      if (this.#failure !== undefined) throw this.#failure
      const nowMs = performance.now()
      if (nowMs - Math.max(this.#metAtMs, this.#newsAtMs) >= timeoutMs) return
      this.#options.onProgress?.({
        stage: 'meeting',
        members: parts.reduce((met, { reading }) => met + reading.reachedCount, 0),
        givesUpInMs: timeoutMs - (nowMs - Math.max(this.#metAtMs, this.#newsAtMs)),
      })
      if (nowMs - this.#metAtMs >= QUIET_MS && parts.every(({ reading }) => reading.isWhole)) return
      await new Promise((resolve) => setTimeout(resolve, POLL_MS))
    }
  }

  async #compare(part: Part, database: Database, pool: FolderPool): Promise<SharePreview> {
    const { share, keys, reading } = part
    const { dir } = share
    const complete = reading.isWhole
    const rules = ignoreRulesOf(dir)
    const { bytes, needBytes } = reading.index.counts
    const shareBytes = bytes + needBytes
    const compared = reading.isReached
      ? await compareTree({
          dir,
          exists: fs.existsSync(dir),
          index: reading.index,
          database,
          prefix: `${keys.shareId.slice(0, 16)}:`,
          pool,
          pieceKeys: keys.read,
          isIgnored: (at, isDirectory) => rules.ignores(at, isDirectory),
          signal: this.#options.signal,
          onPath: this.#options.onPath ?? (() => undefined),
          onRead: (files, readBytes) =>
            this.#options.onProgress?.({ stage: 'comparing', dir, files, readBytes, shareBytes }),
        })
      : undefined
    const isWriter = (device: string): boolean =>
      reading.index.feeds.all().some((feed) => feed.device === device)
    return {
      dir,
      grade: keys.grade === 'write' ? 'write' : 'read',
      complete,
      members: reading.members().map(({ state, reached }) => ({
        device: state.device,
        name: state.name,
        grade: isWriter(state.device) ? 'write' : 'read',
        reached,
        digestEqual: compared?.digest.equals(state.digest) === true,
      })),
      comparison: compared?.comparison ?? null,
      notes: this.#notes(part, rules),
    }
  }

  #notes({ share, keys, reading }: Part, rules: IgnoreRules): string[] {
    const notes: string[] = []
    const marker = findMarker(share.dir)
    if (marker.type === 'present' && marker.shareId !== keys.shareId)
      notes.push('the folder has the marker of another share: this one would halt')
    if (marker.type === 'garbled' || marker.type === 'own-dir-unsafe')
      notes.push(`the share would halt: ${marker.detail}`)
    if (this.#ranBefore)
      notes.push(
        'this device has joined before: what was changed or deleted here since then counts as a change of its own',
      )
    if (rules.empty && reading.index.effective(parsePath(IGNORE_FILE)).fact.type === 'file')
      notes.push(
        `the share has ignore rules (${IGNORE_FILE}) that are not here yet: what they leave out is counted all the same`,
      )
    for (const name of reading.looking)
      notes.push(
        `${name} has not looked through its folder since it started: there may be more in the share than it says`,
      )
    for (const { detail } of reading.problems.list().slice(0, 10))
      notes.push(`not all could be read: ${detail}`)
    return notes
  }
}

/** A storage that is not there yet has no daemon, and is not made. */
function lockIfThere({ storagePath, fileName }: Config<Secret>): StorageLock | undefined {
  if (!fs.existsSync(path.join(storagePath, 'lock'))) return undefined
  try {
    return lockStorage(storagePath)
  } catch (thrown) {
    if (!(thrown instanceof ShoalError) || thrown.code !== 'STORAGE_LOCKED') throw thrown
    throw new ShoalError(
      'STORAGE_LOCKED',
      `cannot preview ${fileName}: its daemon is running and has joined already, see shoal status; ${thrown.message}`,
      { cause: thrown },
    )
  }
}

/** One that is not there counts as empty; anything else that is no directory we may read is an error. */
function checkReadable(dir: string): void {
  try {
    fs.closeSync(fs.openSync(dir, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return
    throw new ShoalError('SHARE_UNUSABLE', `cannot read ${dir}: ${(cause as Error).message}`, { cause })
  }
}

function ignoreRulesOf(dir: string): IgnoreRules {
  const file = path.join(dir, IGNORE_FILE)
  try {
    const stat = fs.lstatSync(file)
    if (!stat.isFile() || stat.size > MAX_IGNORE_BYTES) return IgnoreRules.none
    return IgnoreRules.parse(fs.readFileSync(file, 'utf8'))
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return IgnoreRules.none
    throw new ShoalError('SHARE_UNUSABLE', `cannot read ${file}: ${(cause as Error).message}`, { cause })
  }
}
