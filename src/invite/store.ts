// The invites of one device on disk: one small JSON file, written whole and durably at every change. A change counts only
// once it is there: what cannot be written has not happened, so a used invite is used before anybody gets its secret.
// Whatever changes it throws STORAGE_UNUSABLE if it cannot be written.
import { z } from 'zod'
import { ShoalError } from '../core/error.js'
import { shareIdFromBytes } from '../core/ids.js'
import { INVITE_NAMES } from '../core/invite.js'
import { INVITE_GRADES } from './messages.js'
import type { InviteRecord } from './record.js'

/** Where the invites stand. */
export interface InviteFile {
  /** For messages. */
  readonly path: string
  /** Undefined: there is none. */
  read(): string | undefined
  /** Replaces it, mode 0600; on the disk when this returns. Throws what the file system says. */
  write(text: string): void
}

const common = {
  id: z.string().regex(/^[0-9a-f]{8}$/),
  share: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .transform((text) => shareIdFromBytes(Buffer.from(text, 'hex'))),
  grade: z.enum(INVITE_GRADES),
  createdMs: z.int(),
  expiresMs: z.int(),
  wrongTries: z.int().nonnegative(),
}

const schema = z.object({
  format: z.literal(1),
  invites: z.array(
    z.discriminatedUnion('type', [
      z.object({
        type: z.literal('open'),
        ...common,
        name: z
          .int()
          .nonnegative()
          .max(INVITE_NAMES - 1),
        sealed: z
          .string()
          .regex(/^[0-9a-f]+$/)
          .transform((text) => Buffer.from(text, 'hex')),
      }),
      z.object({
        type: z.literal('used'),
        ...common,
        atMs: z.int(),
        address: z.string(),
        isConfirmed: z.boolean(),
      }),
      z.object({ type: z.literal('ended'), ...common, atMs: z.int() }),
    ]),
  ),
})

export class InviteStore {
  readonly #file: InviteFile
  #records: readonly InviteRecord[]

  /** A file that is there and cannot be understood holds no invites, which is the safe side. */
  readonly isDamaged: boolean

  /** Throws what reading the file throws. */
  constructor(file: InviteFile) {
    this.#file = file
    const records = recordsIn(file)
    this.isDamaged = records === undefined
    this.#records = records ?? []
  }

  /** Oldest first. */
  get records(): readonly InviteRecord[] {
    return this.#records
  }

  add(record: InviteRecord): void {
    this.#save([...this.#records, record])
  }

  /** Puts a new state in the place of the one with its id. */
  replace(record: InviteRecord): void {
    this.#save(this.#records.map((each) => (each.id === record.id ? record : each)))
  }

  /** Keeps those that `isKept`; answers the others. */
  keepOnly(isKept: (record: InviteRecord) => boolean): InviteRecord[] {
    const gone = this.#records.filter((record) => !isKept(record))
    if (gone.length > 0) this.#save(this.#records.filter(isKept))
    return gone
  }

  #save(records: readonly InviteRecord[]): void {
    const invites = records.map((record) =>
      record.type === 'open' ? { ...record, sealed: record.sealed.toString('hex') } : record,
    )
    try {
      this.#file.write(`${JSON.stringify({ format: 1, invites })}\n`)
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause)
      throw new ShoalError('STORAGE_UNUSABLE', `cannot write ${this.#file.path}: ${why}`, { cause })
    }
    this.#records = records
  }
}

/** Undefined: the file is damaged. */
function recordsIn(file: InviteFile): readonly InviteRecord[] | undefined {
  const text = file.read()
  if (text === undefined) return []
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // Not the error: it may quote the file.
    return undefined
  }
  return schema.safeParse(value).data?.invites
}
