// Who this device is (K4): one master seed under the storage path, and the epoch of its feed in each share (F4). Both
// are durable before they are used: a feed key that was used and forgotten could be used again.
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { z } from 'zod'
import { type DeviceKeys, deviceKeysOf } from '../core/device.js'
import { ShoalError } from '../core/error.js'
import type { ShareId } from '../core/ids.js'
import { readIfThere, writeDurably } from './durable-file.js'

const schema = z.object({
  format: z.literal(1),
  seed: z.string().regex(/^[0-9a-f]{64}$/),
  epochs: z.record(z.string(), z.int().nonnegative()),
  /** The port that was picked for listening_port 0, kept. */
  port: z.int().optional(),
})
type Stored = z.infer<typeof schema>

export class Identity {
  readonly #file: string
  #stored: Stored
  /** Whether it was made just now: what else lies in the storage path is then of somebody else (F4). */
  readonly isNew: boolean

  private constructor(file: string, stored: Stored, isNew: boolean) {
    this.#file = file
    this.#stored = stored
    this.isNew = isNew
  }

  /** Reads the identity of a storage path, or makes one. STORAGE_UNUSABLE if the file is there but not readable. */
  static open(storagePath: string): Identity {
    const file = path.join(storagePath, 'identity.json')
    const text = readIfThere(file)
    if (text === undefined) {
      const identity = new Identity(file, freshIdentity(), true)
      identity.#save()
      return identity
    }
    try {
      return new Identity(file, schema.parse(JSON.parse(text)), false)
    } catch (cause) {
      // Made anew it would be another device, and nobody would know why: a person has to look.
      throw new ShoalError('STORAGE_UNUSABLE', `${file} is damaged; move it away to start as a new device`, {
        cause: new Error((cause as Error).name),
      })
    }
  }

  get seed(): Buffer {
    return Buffer.from(this.#stored.seed, 'hex')
  }

  get device(): DeviceKeys {
    return deviceKeysOf(this.seed)
  }

  get port(): number | undefined {
    return this.#stored.port
  }

  epochOf(share: ShareId): number {
    return this.#stored.epochs[share] ?? 0
  }

  /** A new feed for a share from now on (F4); returns its epoch. */
  nextEpoch(share: ShareId): number {
    const epoch = this.epochOf(share) + 1
    this.#stored = { ...this.#stored, epochs: { ...this.#stored.epochs, [share]: epoch } }
    this.#save()
    return epoch
  }

  keepPort(port: number): void {
    if (port === this.#stored.port) return
    this.#stored = { ...this.#stored, port }
    this.#save()
  }

  /** Becomes another device: a copy of this one runs elsewhere and keeps the old identity (F4). */
  stepAside(): void {
    this.#stored = freshIdentity()
    this.#save()
  }

  #save(): void {
    writeDurably(this.#file, `${JSON.stringify(this.#stored)}\n`)
  }
}

function freshIdentity(): Stored {
  return { format: 1, seed: randomBytes(32).toString('hex'), epochs: {} }
}
