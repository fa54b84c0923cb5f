// Checks the chain from the share's key to every version that this device goes by, as it lies in the storage, with no daemon
// and no network: certificates (K5), the signature over each feed and the hash of each record below it, the seal and the
// form of each record, the order of its writer's counters, and that what the index says is said in a feed. It changes nothing
// but the text in the lock file.
import { existsSync } from 'node:fs'
import path from 'node:path'
import type { LoadedConfig } from '../../config/secrets.js'
import { openCertificate } from '../../core/certificate.js'
import type { Entry } from '../../core/entry.js'
import { ShoalError } from '../../core/error.js'
import type { WriterId } from '../../core/ids.js'
import { decodeRecord } from '../../core/record.js'
import { keysOf, type ReadKeys, type ShareKeys } from '../../core/secret.js'
import { FeedChecker } from '../../feed/verify.js'
import type { IndexFeed } from '../../store/feeds.js'
import { openLmdb } from '../../store/lmdb.js'
import { ShareIndex } from '../../store/share-index.js'
import type { Database } from '../../store/tables.js'
import { readAdded } from '../added-folders.js'
import { readIfThere } from '../durable-file.js'
import { lockStorage } from '../lock.js'
import { tablePrefix } from '../share/share-options.js'
import type { VerifiedFeed, VerifiedShare, VerifyFault, VerifyReport } from './report.js'

/** More are not worth a line each. */
const MAX_FAULTS = 200

/** Checks all shares of a configuration, and those that were added beside it. STORAGE_LOCKED while a daemon runs; NOT_FOUND: there is nothing yet. */
export async function verifyStorage(
  config: LoadedConfig,
  onFeed: (dir: string, feed: VerifiedFeed) => void,
): Promise<VerifyReport> {
  const { storagePath } = config
  const [index, cores] = [path.join(storagePath, 'index'), path.join(storagePath, 'cores')]
  if (!existsSync(index) || !existsSync(cores))
    throw new ShoalError('NOT_FOUND', `there is nothing in ${storagePath} yet: start the daemon once`)
  const format = readIfThere(path.join(index, 'format'))?.trim()
  if (format !== String(ShareIndex.format))
    throw new ShoalError(
      'NOT_FOUND',
      `the index in ${storagePath} is of another version: start the daemon once`,
    )
  const lock = lockStorage(storagePath)
  let database: Database | undefined
  let checker: FeedChecker | undefined
  try {
    database = openLmdb(index)
    checker = await FeedChecker.open(cores)
    const verified: VerifiedShare[] = []
    const added = await readAdded(config)
    for (const { dir, secret } of [...config.shares, ...added.flatMap(({ settings }) => settings ?? [])]) {
      const { read, ...keys } = keysOf(secret)
      if (read === undefined) throw new ShoalError('SECRET_GRADE', `${dir}: a blind secret reads no records`)
      verified.push(await new ShareVerifier(dir, { ...keys, read }, database, checker).verify(onFeed))
    }
    for (const { kept, fault } of added) if (fault !== undefined) verified.push(unchecked(kept.dir, fault))
    return { shares: verified }
  } finally {
    await checker?.close()
    await database?.close()
    lock.release()
  }
}

/** A folder whose secret cannot be had, say: of what is not looked at it cannot be said that it holds. */
function unchecked(dir: string, fault: string): VerifiedShare {
  const what = `this folder, which was added to the daemon, cannot be checked: ${fault}`
  return {
    ...{ dir, feeds: [], heads: 0, headsNotHere: 0 },
    faults: [{ name: null, writer: null, record: null, what }],
  }
}

/** What was found in one feed. */
interface Told {
  /** What each of its versions says, by the writer's counter. */
  readonly sayings: Map<number, string>
  /** Whether all its records are here, from the first or from a checkpoint on. */
  isWhole: boolean
}

class ShareVerifier {
  readonly #dir: string
  readonly #keys: ShareKeys & { readonly read: ReadKeys }
  readonly #index: ShareIndex
  readonly #checker: FeedChecker
  readonly #faults: VerifyFault[] = []
  readonly #told = new Map<WriterId, Told>()

  constructor(
    dir: string,
    keys: ShareKeys & { readonly read: ReadKeys },
    database: Database,
    checker: FeedChecker,
  ) {
    this.#dir = dir
    this.#keys = keys
    this.#checker = checker
    this.#index = new ShareIndex(database, tablePrefix(keys.shareId), {
      overwriteDrift: false,
      isIgnored: () => false,
    })
  }

  async verify(onFeed: (dir: string, feed: VerifiedFeed) => void): Promise<VerifiedShare> {
    const feeds: VerifiedFeed[] = []
    for (const row of this.#index.feeds.all()) {
      this.#checkCertificate(row)
      const feed = await this.#checkFeed(row)
      feeds.push(feed)
      onFeed(this.#dir, feed)
    }
    return { dir: this.#dir, feeds, ...this.#checkHeads(), faults: this.#faults }
  }

  #checkCertificate(row: IndexFeed): void {
    const opened = openCertificate(row.certificate, this.#keys.shareId, this.#keys.publicKey)
    if (opened.type === 'violation') return this.#fault(row, null, `its certificate: ${opened.detail}`)
    const { writer, feedKey, device, epoch } = opened.value
    const isOfRow =
      writer === row.writer && feedKey.equals(row.key) && device === row.device && epoch === row.epoch
    if (!isOfRow) this.#fault(row, null, 'its certificate is that of another feed')
  }

  async #checkFeed(row: IndexFeed): Promise<VerifiedFeed> {
    const { read, feedBlockKey } = this.#keys
    const told: Told = { sayings: new Map(), isWhole: false }
    this.#told.set(row.writer, told)
    let versions = 0
    // Of the records that follow one another without a gap up to the last: the first, and the one after them.
    let start = 0
    let next = 0
    let checkpoint: number | undefined
    const checked = await this.#checker.check({ feedKey: row.key, blockKey: feedBlockKey }, (at, block) => {
      const place = { entryKey: read.entryKey, feedKey: row.key, index: at, author: row.writer }
      const decoded = decodeRecord(block, place)
      if (decoded.type === 'violation') return `it cannot be read: ${decoded.detail}`
      if (at !== next) start = at
      next = at + 1
      const { header, entries } = decoded.value
      checkpoint = header.checkpoint
      versions += entries.length
      const isDelta = header.kind === 'delta'
      const twice = entries.find((entry) => isDelta && told.sayings.has(counterOf(entry)))
      for (const entry of entries) told.sayings.set(counterOf(entry), sayingOf(entry))
      return twice === undefined ? undefined : `its version ${counterOf(twice)} was told before`
    })
    const isFromStart = start === 0 || (checkpoint !== undefined && start <= checkpoint)
    told.isWhole = isFromStart && next === checked.length
    for (const { block, what } of checked.faults) this.#fault(row, block ?? null, what)
    if (next < row.next && checked.faults.length === 0)
      this.#fault(row, next, `the index has taken over ${row.next} records, and this one is not here`)
    const { device, deviceName: name, writer, epoch, closed } = row
    return { device, name, writer, epoch, length: checked.length, records: checked.blocks, versions, closed }
  }

  /** What stands on paths must have been said by its author. */
  #checkHeads(): { heads: number; headsNotHere: number } {
    let heads = 0
    let headsNotHere = 0
    for (const all of this.#index.allHeads())
      for (const head of all) {
        const told = this.#told.get(head.author)
        const row = this.#index.feeds.byWriter(head.author)
        const saying = told?.sayings.get(counterOf(head))
        if (saying === undefined && told?.isWhole === false) {
          headsNotHere++
          continue
        }
        heads++
        if (saying === sayingOf(head)) continue
        const quoted = JSON.stringify(head.path)
        const what =
          told === undefined ? 'by a writer of whom nothing is known' : 'that this feed does not say'
        this.#fault(row, null, `the index has a version of ${quoted} ${what}`)
      }
    return { heads, headsNotHere }
  }

  #fault(row: IndexFeed | undefined, record: number | null, what: string): void {
    if (this.#faults.length >= MAX_FAULTS) return
    this.#faults.push({ name: row?.deviceName ?? null, writer: row?.writer ?? null, record, what })
  }
}

/** Path, kind and content of a version, as one text. */
function sayingOf(entry: Entry): string {
  const { path, type } = entry
  const content = type === 'file' ? entry.content.toString('latin1') : type === 'symlink' ? entry.target : ''
  return `${path}\0${type}\0${content}`
}

/** The writer's own running number of an entry. */
function counterOf({ author, version }: Entry): number {
  return version.find(([writer]) => writer === author)?.[1] ?? 0
}
