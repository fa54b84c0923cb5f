// What persons have said of this device's drift: "this is meant, because ...", until some day. Each is signed
// (core/acknowledgement.ts) and holds for exactly the drifted state that it was said of; that state may go and come back
// while it holds. Kept in the index, and lost with it.
import {
  type Acknowledgement,
  openAcknowledgement,
  reasonFault,
  signAcknowledgement,
} from '../../core/acknowledgement.js'
import { driftState } from '../../core/drift.js'
import { ShoalError } from '../../core/error.js'
import type { DeviceId, ShareId } from '../../core/ids.js'
import type { RelPath } from '../../core/path.js'
import type { Log } from '../../ports/log.js'
import type { DiskRow } from '../../store/rows.js'
import {
  AFTER_LAST_KEY,
  type Database,
  FIRST_KEY,
  pathKey,
  pathOfKey,
  type Table,
} from '../../store/tables.js'

/** Each is somebody's sentence; more are nobody's, and all travel in reports. */
const MAX_ACKNOWLEDGEMENTS = 1000
/** A word that holds longer is forgotten by who gave it. */
const MAX_LIFE_MS = 366 * 86_400_000

export interface AcknowledgementsOptions {
  readonly database: Database
  readonly prefix: string
  readonly shareId: ShareId
  readonly device: { readonly device: DeviceId; readonly secretKey: Buffer }
  readonly nowMs: () => number
  readonly log: Log
}

/** One that holds, as read and as signed. */
export interface SignedAcknowledgement {
  readonly value: Acknowledgement
  readonly bytes: Buffer
}

export class Acknowledgements {
  readonly #o: AcknowledgementsOptions
  readonly #table: Table<Buffer>
  readonly #all = new Map<RelPath, SignedAcknowledgement>()

  constructor(options: AcknowledgementsOptions) {
    const { database, prefix, shareId, device, log } = options
    this.#o = options
    this.#table = database.table(`${prefix}acknowledged`)
    for (const { key, value } of this.#table.range(FIRST_KEY, AFTER_LAST_KEY)) {
      const path = pathOfKey(key)
      const opened = openAcknowledgement(value, path, shareId)
      if (opened.type === 'ok' && opened.value.device === device.device) {
        this.#all.set(path, { value: opened.value, bytes: Buffer.from(value) })
        continue
      }
      // A device that took another identity (F4) has said nothing yet.
      log.warn({ path }, 'an acknowledgement of drift that this device did not sign is dropped')
      this.#table.remove(key)
    }
  }

  /** The paths that something was said of. */
  get paths(): Iterable<RelPath> {
    return this.#all.keys()
  }

  /** When the first one ends, milliseconds since 1970; infinite if there is none. */
  get nextEndMs(): number {
    let next = Number.POSITIVE_INFINITY
    for (const { value } of this.#all.values()) next = Math.min(next, value.untilMs)
    return next
  }

  /** The one that holds for what a path holds now. */
  of(path: RelPath, row: DiskRow): SignedAcknowledgement | undefined {
    const said = this.#all.get(path)
    if (said === undefined || row.drift === undefined) return undefined
    return said.value.state.equals(stateOf(path, row)) ? said : undefined
  }

  /** Signs and keeps one of what a path holds now, instead of any before. USAGE. */
  add(path: RelPath, row: DiskRow, reason: string, lifeMs: number): SignedAcknowledgement {
    const { device, shareId, nowMs } = this.#o
    const fault = reasonFault(reason)
    if (fault !== undefined) throw new ShoalError('USAGE', `the reason ${fault}`)
    if (!(lifeMs >= 1 && lifeMs <= MAX_LIFE_MS))
      throw new ShoalError('USAGE', 'an acknowledgement ends after 366 days at most')
    if (!this.#all.has(path) && this.#all.size >= MAX_ACKNOWLEDGEMENTS)
      throw new ShoalError('USAGE', `there are ${MAX_ACKNOWLEDGEMENTS} acknowledgements: withdraw one first`)
    const madeMs = nowMs()
    const value = {
      device: device.device,
      path,
      state: stateOf(path, row),
      reason,
      madeMs,
      untilMs: madeMs + lifeMs,
    }
    const bytes = signAcknowledgement(value, device.secretKey, shareId)
    this.#table.put(pathKey(path), bytes)
    const said = { value, bytes }
    this.#all.set(path, said)
    return said
  }

  /** False if nothing was said of the path. */
  remove(path: RelPath): boolean {
    if (!this.#all.delete(path)) return false
    this.#table.remove(pathKey(path))
    return true
  }

  /** Ends those whose time has come; their paths. */
  expire(): RelPath[] {
    const now = this.#o.nowMs()
    const over = [...this.#all].filter(([, { value }]) => value.untilMs <= now).map(([path]) => path)
    for (const path of over) this.remove(path)
    return over
  }
}

/** What an acknowledgement of a row's drift is said of. */
export function stateOf(path: RelPath, { drift, applied }: DiskRow): Buffer {
  return driftState(path, drift?.fact ?? applied.fact, applied.fact)
}
