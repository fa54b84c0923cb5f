// The dashboard as one ink component: draws the frame of the store, and gives it the keys. React hears of a change only if
// the frame has become another one.
import { createElement, type ReactElement, useSyncExternalStore } from 'react'
import type { Key } from '../model/keys.js'
import type { Line } from '../model/span.js'
import { type Key as InkKey, useInput } from './ink.js'
import { LinesView } from './lines.js'
import type { Theme } from './theme.js'

/** What is drawn, and who hears of keys. */
export interface FrameStore {
  readonly frame: () => readonly Line[]
  /** Calls back whenever frame() answers something else; returns what ends that. */
  readonly subscribe: (changed: () => void) => () => void
  readonly press: (key: Key) => void
}

export function App({ store, theme }: { store: FrameStore; theme: Theme }): ReactElement {
  const lines = useSyncExternalStore(store.subscribe, store.frame)
  useInput((input, key) => {
    for (const pressed of keysOf(input, key)) store.press(pressed)
  })
  return createElement(LinesView, { lines, theme })
}

const NAMED: readonly (readonly [keyof InkKey, Exclude<Key['name'], 'text'>])[] = [
  ['upArrow', 'up'],
  ['downArrow', 'down'],
  ['leftArrow', 'left'],
  ['rightArrow', 'right'],
  ['pageUp', 'page-up'],
  ['pageDown', 'page-down'],
  ['home', 'home'],
  ['end', 'end'],
  ['return', 'enter'],
  ['escape', 'escape'],
  ['backspace', 'backspace'],
  // What most terminals send for backspace.
  ['delete', 'backspace'],
]

/** None: a key that means nothing here. */
export function keysOf(input: string, key: InkKey): Key[] {
  if (key.ctrl) return input === 'c' ? [{ name: 'quit' }] : []
  if (key.tab) return [{ name: key.shift ? 'back-tab' : 'tab' }]
  const named = NAMED.find(([name]) => key[name] === true)
  if (named !== undefined) return [{ name: named[1] }]
  if (input === '') return []
  // Escape and a letter that come in one read look like a letter with Alt, which no key here is.
  return key.meta ? [{ name: 'escape' }, { name: 'text', text: input }] : [{ name: 'text', text: input }]
}
