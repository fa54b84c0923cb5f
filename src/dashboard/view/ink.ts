// What the dashboard takes of ink. It is loaded by a call and not with the module: ink can only be loaded by import(), as modules below
// it await at their top, and the files of dist/program are of the kind that cannot wait for that (scripts/bundle.mjs).
import type * as Ink from 'ink'

export type { Key } from 'ink'
/** Each undefined until loadInk() has resolved. */
export let Box: typeof Ink.Box
export let Text: typeof Ink.Text
export let render: typeof Ink.render
export let useInput: typeof Ink.useInput

/** Call it before anything is drawn. */
export async function loadInk(): Promise<void> {
  ;({ Box, Text, render, useInput } = await import('ink'))
}
