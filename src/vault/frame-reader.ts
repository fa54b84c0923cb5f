// Reads frames out of packs, many at once: those that stand near each other in one pack come by one read. What is given
// out is proved first.
import { blake3 } from '../core/hash.js'
import type { ShareId } from '../core/ids.js'
import { FRAME, FRAME_HEADER_BYTES, frameKey, packIdentity, readFrameHeader } from './frame.js'
import type { KeyedPlace } from './frame-rows.js'
import { type PackStorage, packName } from './pack-storage.js'
import { isBadMedium, isNotThere } from './storage-error.js'

/** Bytes between two frames that are read along rather than passed over: below a disk's seek, and a bucket's round trip. */
const MAX_GAP_BYTES = 128 * 1024
/** One read gets at most this, unless one frame is larger. */
const MAX_SPAN_BYTES = 8 * 2 ** 20
/** Reads at the same time. */
const AT_ONCE = 4

interface Wanted extends KeyedPlace {
  /** Where it goes in the answer. */
  readonly at: number
}

interface Span {
  readonly pack: number
  readonly start: number
  end: number
  readonly frames: Wanted[]
}

export class FrameReader {
  readonly #storage: PackStorage
  readonly #shareId: ShareId

  constructor(storage: PackStorage, shareId: ShareId) {
    this.#storage = storage
    this.#shareId = shareId
  }

  /**
   * Payloads in the order asked; undefined: what stands there does not hold, or is not there. Several may share memory,
   * at least half of which is theirs.
   * Rejects as PackStorage.read does, where neither the pack nor the medium is to blame.
   */
  async read(wanted: readonly KeyedPlace[]): Promise<(Buffer | undefined)[]> {
    const answers: (Buffer | undefined)[] = new Array(wanted.length).fill(undefined)
    const spans = spansOf(wanted)
    for (let i = 0; i < spans.length; i += AT_ONCE)
      await Promise.all(spans.slice(i, i + AT_ONCE).map((span) => this.#readSpan(span, answers)))
    return answers
  }

  async #readSpan(span: Span, answers: (Buffer | undefined)[]): Promise<void> {
    const bytes = await this.#bytes(span.pack, span.start, span.end - span.start)
    if (bytes === undefined && span.frames.length > 1) {
      // The whole of it cannot be read: what can, comes one by one.
      for (const frame of span.frames) await this.#readSpan(spanOf(frame), answers)
      return
    }
    if (bytes === undefined) return
    const wantedBytes = span.frames.reduce((sum, { place }) => sum + place.length, 0)
    // Whoever asked counts what was asked for, and may hold it for long.
    const isSparse = 2 * wantedBytes < bytes.length
    for (const { at, key, place } of span.frames) {
      const start = place.offset - span.start
      const frame = bytes.subarray(start, start + FRAME_HEADER_BYTES + place.length)
      const payload = this.#proved(key, place.pack, place.offset, frame)
      answers[at] = isSparse && payload !== undefined ? Buffer.from(payload) : payload
    }
  }

  async #bytes(pack: number, offset: number, length: number): Promise<Buffer | undefined> {
    try {
      return await this.#storage.read(packName(pack), offset, length)
    } catch (thrown) {
      if (isNotThere(thrown) || isBadMedium(thrown)) return undefined
      throw thrown
    }
  }

  #proved(key: Buffer, pack: number, offset: number, frame: Buffer): Buffer | undefined {
    const payload = frame.subarray(FRAME_HEADER_BYTES)
    const digest = blake3(payload)
    // A piece proves itself, whatever became of the header before it.
    if (key[0] === FRAME.piece) return digest.equals(key.subarray(1)) ? payload : undefined
    const header = readFrameHeader(packIdentity(this.#shareId, pack), offset, frame)
    if (header === undefined || !digest.equals(header.digest)) return undefined
    return frameKey(header, payload)?.equals(key) === true ? payload : undefined
  }
}

function spansOf(wanted: readonly KeyedPlace[]): Span[] {
  const frames = wanted
    .map(({ key, place }, at) => ({ key, place, at }))
    .sort((a, b) => a.place.pack - b.place.pack || a.place.offset - b.place.offset)
  const spans: Span[] = []
  for (const frame of frames) {
    const span = spanOf(frame)
    const last = spans.at(-1)
    const isNear =
      last !== undefined &&
      last.pack === span.pack &&
      span.start - last.end <= MAX_GAP_BYTES &&
      span.end - last.start <= MAX_SPAN_BYTES
    if (!isNear) {
      spans.push(span)
      continue
    }
    last.end = Math.max(last.end, span.end)
    last.frames.push(frame)
  }
  return spans
}

function spanOf(frame: Wanted): Span {
  const { pack, offset, length } = frame.place
  return { pack, start: offset, end: offset + FRAME_HEADER_BYTES + length, frames: [frame] }
}
