// The list of the screen that is shown: filtered, sorted, with the chosen one. Drawing and keys go by the same.

import type { AnyScreen } from '../screens/screen.js'
import { screenOf } from '../screens/screens.js'
import { type Sorting, sorted } from './table.js'
import { screenUi, type Ui } from './ui.js'
import type { World } from './world.js'

export interface ShownList {
  readonly screen: AnyScreen
  readonly items: readonly unknown[]
  /** How many there are without the filter. */
  readonly all: number
  /** Place of the chosen one among the items; -1 if there are none. */
  readonly chosen: number
  readonly sorting: Sorting | undefined
}

export function shownList(world: World, ui: Ui): ShownList {
  const screen = screenOf(ui.screen)
  const { chosen, place, filter } = screenUi(ui)
  const sorting = sortingOf(ui, screen)
  const all = screen.items(world)
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
  const matching = words.length === 0 ? all : all.filter((item) => matches(screen.search(item), words))
  const items = sorted(matching, screen.columns, sorting)
  const found = chosen === undefined ? -1 : items.findIndex((item) => screen.keyOf(item) === chosen)
  const at = found >= 0 ? found : Math.min(chosen === undefined ? 0 : place, items.length - 1)
  return { screen, items, all: all.length, chosen: at, sorting }
}

export function sortingOf(ui: Ui, screen: AnyScreen): Sorting | undefined {
  const { sorting } = screenUi(ui, screen.id)
  return sorting === 'none' ? undefined : (sorting ?? screen.sorting)
}

function matches(text: string, words: readonly string[]): boolean {
  const lower = text.toLowerCase()
  return words.every((word) => lower.includes(word))
}
