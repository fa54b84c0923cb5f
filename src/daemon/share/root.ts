// The share's directory as a place that can be trusted or not (A5): the marker in it, where it was last time, and what an
// earlier run left in its staging area.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { ShoalError } from '../../core/error.js'
import type { ShareId } from '../../core/ids.js'
import { OWN_DIR } from '../../core/path.js'
import {
  cleanStaging,
  type MarkerState,
  prepareOwnDir,
  type RootIdentity,
  readMarker,
  STAGING_DIR,
  writeMarker,
} from '../../folder/marker.js'
import type { ShareMeta } from './meta.js'

/** How often it is tried again while the system has no means to look: a look costs nothing, and a stop waits for one. */
const SHORTAGE_WAIT_MS = 500

/** What is heard of a wait for the system; onShort again and again. */
export interface ShortageEvents {
  readonly isStopped: () => boolean
  readonly onShort: (code: string) => void
}

export class ShareRoot {
  readonly #dir: string
  readonly #shareId: ShareId
  readonly #meta: ShareMeta
  readonly #nowMs: () => number
  /** While the system has no means to look. */
  #waiting: Promise<void> | undefined

  constructor(dir: string, shareId: ShareId, meta: ShareMeta, nowMs: () => number) {
    this.#dir = dir
    this.#shareId = shareId
    this.#meta = meta
    this.#nowMs = nowMs
  }

  get identity(): RootIdentity | undefined {
    return this.#meta.root
  }

  /** Makes a new share's directory ours, recognises a known one. Returns why to halt, if so. SHARE_UNUSABLE, IO. */
  prepare(): string | undefined {
    const known = this.#meta.root
    if (known === undefined) {
      try {
        fs.mkdirSync(this.#dir, { recursive: true })
        prepareOwnDir(this.#dir)
      } catch (cause) {
        throw new ShoalError('SHARE_UNUSABLE', `cannot use ${this.#dir}: ${(cause as Error).message}`, {
          cause,
        })
      }
    }
    const marker = readMarker(this.#dir, this.#shareId, known)
    switch (marker.state) {
      case 'fresh':
        this.#meta.root = writeMarker(this.#dir, this.#shareId, this.#nowMs())
        return undefined
      case 'ours':
        prepareOwnDir(this.#dir)
        this.#meta.root = marker.identity
        return undefined
      case 'short':
        throw shortage(this.#dir, marker.detail, marker.code)
      default:
        return marker.detail
    }
  }

  /** Whether there is anything in it but what is ours. */
  get hasContent(): boolean {
    return fs.readdirSync(this.#dir).some((name) => name !== OWN_DIR)
  }

  /**
   * Why the directory must not be trusted now, or undefined. While the daemon runs it must be the very one that it began
   * with: a copy has the same marker, but other contents than the index says, and nothing that is watched is in it. While
   * the system has no means to look, it waits: that is no reason to halt, and there is nothing that could be done meanwhile.
   */
  async fault(events: ShortageEvents): Promise<string | undefined> {
    const known = this.#meta.root
    let marker = readMarker(this.#dir, this.#shareId, known)
    while (marker.state === 'short') {
      if (events.isStopped()) return marker.detail
      // One wait for all who ask.
      this.#waiting ??= this.#wait(marker, events).finally(() => {
        this.#waiting = undefined
      })
      await this.#waiting
      marker = readMarker(this.#dir, this.#shareId, known)
    }
    if (marker.state !== 'ours') return marker.state === 'fresh' ? undefined : marker.detail
    const { dev, ino } = marker.identity
    if (known === undefined || (known.dev === dev && known.ino === ino)) return undefined
    return 'another directory has taken the place of this one while the daemon was running'
  }

  async #wait(first: MarkerState, events: ShortageEvents): Promise<void> {
    for (let marker = first; marker.state === 'short' && !events.isStopped(); ) {
      events.onShort(marker.code)
      await setTimeout(SHORTAGE_WAIT_MS)
      marker = readMarker(this.#dir, this.#shareId, this.#meta.root)
    }
  }

  /** A person says that the directory is right as it is. SHARE_HALTED if it cannot be. */
  approve(): void {
    try {
      fs.accessSync(this.#dir)
      prepareOwnDir(this.#dir)
    } catch (cause) {
      throw new ShoalError('SHARE_HALTED', `cannot go on with ${this.#dir}: ${(cause as Error).message}`, {
        cause,
      })
    }
    const marker = readMarker(this.#dir, this.#shareId, undefined)
    if (marker.state === 'short') throw shortage(this.#dir, marker.detail, marker.code)
    if (marker.state !== 'ours' && marker.state !== 'fresh') {
      throw new ShoalError('SHARE_HALTED', `cannot go on with ${this.#dir}: ${marker.detail}`)
    }
    this.#meta.root =
      marker.state === 'ours' ? marker.identity : writeMarker(this.#dir, this.#shareId, this.#nowMs())
  }

  /**
   * Tokens of staged files of an earlier run, to be reused; the rest is removed: what is no token, and what was given its
   * name in the tree already, which must go before the first scan, because losing a name changes that file's ctime.
   */
  leftovers(): string[] {
    const staging = path.join(this.#dir, STAGING_DIR)
    const isUnnamed = (name: string): boolean => fs.lstatSync(path.join(staging, name)).nlink === 1
    const tokens = fs.readdirSync(staging).filter((name) => /^[0-9a-f]{32}$/.test(name) && isUnnamed(name))
    cleanStaging({ root: this.#dir, keepTokens: tokens })
    return tokens
  }
}

function shortage(dir: string, detail: string, code: string): ShoalError {
  return new ShoalError('IO', `cannot look into ${dir}: ${detail}`, { details: { code } })
}
