// What is known of each key beside the shape of its value: words for the documentation, and its fate in this version.
// The schema (root-keys.ts, share-keys.ts, webui-keys.ts) carries it, so that validation, warnings, docs/configuration.md,
// the JSON schema for editors and the manual page all come from one place (describe.ts).
import { z } from 'zod'

/** What this version does with a key. `line` completes a sentence for the user. */
export type Fate =
  | { readonly type: 'works' }
  /** What it asked for is always so, or cannot be any more. */
  | { readonly type: 'done'; readonly line: string; readonly isAsked: (value: unknown) => boolean }
  /** What it asks for is to come; a value that asks for nothing is honoured. */
  | { readonly type: 'not-yet'; readonly line: string; readonly isAsked: (value: unknown) => boolean }

export interface KeyInfo {
  /** Kind of value: "flag", "whole number", "path", ... */
  readonly type: string
  /** Of a number: "seconds", "kB/s", ... */
  readonly unit?: string
  /** In words, where the schema has no value for it. */
  readonly default?: string
  /** What it means, a sentence without its full stop; no line breaks. */
  readonly text: string
  readonly fate: Fate
}

/** A schema for each key of an object of the file. */
export type Keys<T> = { readonly [K in keyof T]-?: z.ZodType<T[K]> }

const INFOS = z.registry<KeyInfo>()

type Words = Omit<KeyInfo, 'fate' | 'text'>

/** A key that this version honours. */
export function works<T>(schema: z.ZodType<T>, words: Words, text: string): z.ZodType<T> {
  return withInfo(schema, { ...words, text, fate: { type: 'works' } })
}

/** A key with nothing left to do; `line` says why, whenever it is given with a value that asks for something. */
export function done<T>(
  schema: z.ZodType<T>,
  words: Words,
  line: string,
  isAsked: (value: T) => boolean = () => true,
): z.ZodType<T | undefined> {
  const fate: Fate = { type: 'done', line, isAsked: isAsked as (value: unknown) => boolean }
  return withInfo(schema.optional(), { default: 'none', ...words, text: line, fate })
}

/** A key whose work is to come; `line` says how it is until then, and is told where the value asks for it. */
export function notYet<T>(
  schema: z.ZodType<T>,
  words: Words,
  text: string,
  line: string,
  isAsked: (value: T) => boolean,
): z.ZodType<T> {
  const fate: Fate = { type: 'not-yet', line, isAsked: isAsked as (value: unknown) => boolean }
  return withInfo(schema, { ...words, text, fate })
}

/** What is known of a key, by its schema; undefined for schemas that are parts of others. */
export function infoOf(schema: z.core.$ZodType): KeyInfo | undefined {
  return INFOS.get(schema)
}

/** A schema of its own for the key: kinds of value are shared. */
function withInfo<T>(schema: z.ZodType<T>, info: KeyInfo): z.ZodType<T> {
  return schema.clone().register(INFOS, info)
}
