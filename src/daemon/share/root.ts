// The share's directory as a place that can be trusted or not (A5): the marker in it, where it was last time, and what an
// earlier run left in its staging area.
import fs from 'node:fs'
import path from 'node:path'
import { ShoalError } from '../../core/error.js'
import type { ShareId } from '../../core/ids.js'
import { OWN_DIR } from '../../core/path.js'
import {
  cleanStaging,
  prepareOwnDir,
  type RootIdentity,
  readMarker,
  STAGING_DIR,
  writeMarker,
} from '../../folder/marker.js'
import type { ShareMeta } from './meta.js'

export class ShareRoot {
  readonly #dir: string
  readonly #shareId: ShareId
  readonly #meta: ShareMeta
  readonly #nowMs: () => number

  constructor(dir: string, shareId: ShareId, meta: ShareMeta, nowMs: () => number) {
    this.#dir = dir
    this.#shareId = shareId
    this.#meta = meta
    this.#nowMs = nowMs
  }

  get identity(): RootIdentity | undefined {
    return this.#meta.root
  }

  /** Makes a new share's directory ours, recognises a known one. Returns why to halt, if so. SHARE_UNUSABLE. */
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
   * with: a copy has the same marker, but other contents than the index says, and nothing that is watched is in it.
   */
  fault(): string | undefined {
    const known = this.#meta.root
    const marker = readMarker(this.#dir, this.#shareId, known)
    if (marker.state !== 'ours') return marker.state === 'fresh' ? undefined : marker.detail
    const { dev, ino } = marker.identity
    if (known === undefined || (known.dev === dev && known.ino === ino)) return undefined
    return 'another directory has taken the place of this one while the daemon was running'
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
