// How a call of the control API is described: one entry of a table says its method and path, what it takes and what it
// answers. Requests are checked, answers are checked, the OpenAPI document and the client are made from the same entry,
// so that they cannot disagree.
import { z } from 'zod'

export interface Route<Input, Answer> {
  /** GET takes its input from the query, the others from a JSON body. */
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** Without parameters in it: what a call is about is in its input. */
  readonly path: `/v1/${string}`
  /** A line for people. */
  readonly summary: string
  /** The resource that it belongs to. */
  readonly tag: string
  /** Undefined: it takes nothing. Of a GET, an object whose values are texts, numbers or flags (queryParts). */
  readonly input: Input extends undefined ? undefined : z.ZodType<NonNullable<Input>>
  /** How a right input looks, for the message that tells of a wrong one. */
  readonly takes?: string
  /** Of a call that answers with nothing in particular, `nothing`. */
  readonly answer: z.ZodType<Answer>
  /** 'socket': never over TCP, whoever asks. */
  readonly access?: 'socket'
}

/** What a call takes: its only parameter, or undefined. */
export type InputOf<Call> = Call extends (...args: infer A) => unknown
  ? A extends readonly []
    ? undefined
    : A[0]
  : never
/** What it answers with. */
export type AnswerOf<Call> = Call extends (...args: never[]) => Promise<infer R> ? R : never

/** The table of an interface of calls, each of which takes one value or nothing, and answers with a promise. */
export type Routes<Calls> = {
  readonly [Name in keyof Calls]: Route<InputOf<Calls[Name]>, AnswerOf<Calls[Name]>>
}

/** The answer of a call that answers with nothing, which goes over the wire as {}. */
export const nothing: z.ZodType<void> = z.looseObject({}) as unknown as z.ZodType<void>

/** Place of a share in the configuration, from 0. */
export const place: z.ZodType<number> = z.int().nonnegative()

/**
 * Which share a call is about: its place, or its folder, absolute. Folders that were added can come and go, and then places
 * are other folders'; whoever means the one that it was told of says the folder.
 */
export type ShareRef = number | string

const MAX_FOLDER = 4096

export const shareRef: z.ZodType<ShareRef> = z.union([place, z.string().startsWith('/').max(MAX_FOLDER)])

/** Parts of the input of a GET, which come as text. */
export const queryPart: {
  readonly place: z.ZodType<number>
  readonly count: z.ZodType<number>
  readonly flag: z.ZodType<boolean>
} = {
  place: z
    .string()
    .regex(/^\d{1,4}$/)
    .transform(Number),
  count: z
    .string()
    .regex(/^\d{1,12}$/)
    .transform(Number),
  flag: z.enum(['true', 'false']).transform((text) => text === 'true'),
}
