// What a key does: another state of what is set, and perhaps something to do. Pure.
import type { Order, Step } from '../screens/screen.js'
import { SCREENS, screenOf } from '../screens/screens.js'
import { bodySize, type Size } from './frame.js'
import { shownList, sortingOf } from './list.js'
import type { Sorting } from './table.js'
import { type Dialog, screenUi, type Ui, withScreenUi } from './ui.js'
import type { World } from './world.js'

export type Key =
  | { readonly name: NamedKey }
  /** What was typed; of what was pasted, all at once. */
  | { readonly name: 'text'; readonly text: string }

type NamedKey =
  | 'up'
  | 'down'
  | 'left'
  | 'right'
  | 'page-up'
  | 'page-down'
  | 'home'
  | 'end'
  | 'tab'
  | 'back-tab'
  | 'enter'
  | 'escape'
  | 'backspace'
  | 'quit'

export type Effect = { readonly type: 'quit' } | { readonly type: 'order'; readonly order: Order }

export interface Pressed {
  readonly ui: Ui
  readonly effect?: Effect
}

const NONE: Dialog = { type: 'none' }
const NOTICE_MS = 5000
const MAX_TEXT = 500
/** What others call the same. */
const LETTERS: Readonly<Record<string, NamedKey>> = { j: 'down', k: 'up', g: 'home', G: 'end', q: 'quit' }

export function press(ui: Ui, key: Key, world: World, size: Size): Pressed {
  if (key.name === 'quit') return { ui, effect: { type: 'quit' } }
  switch (ui.dialog.type) {
    case 'none':
      return pressOnScreen({ ...ui, notice: undefined }, key, world, size)
    case 'help':
      return { ui: { ...ui, dialog: helpAfter(ui.dialog.top, key, size) } }
    case 'filter':
      return { ui: filterAfter(ui, ui.dialog.before, key) }
    case 'confirm':
      return confirmAfter(ui, ui.dialog, key)
    case 'ask':
      return askAfter(ui, ui.dialog, key)
  }
}

function pressOnScreen(ui: Ui, key: Key, world: World, size: Size): Pressed {
  if (key.name !== 'text') return { ui: moved(ui, key.name, world, size) }
  const { text } = key
  const letter = LETTERS[text]
  if (letter === 'quit') return { ui, effect: { type: 'quit' } }
  if (letter !== undefined) return { ui: moved(ui, letter, world, size) }
  const screen = /^[1-9]$/.test(text) ? SCREENS[Number(text) - 1] : undefined
  if (screen !== undefined) return { ui: { ...ui, screen: screen.id } }
  if (text === '?') return { ui: { ...ui, dialog: { type: 'help', top: 0 } } }
  if (text === '/') return { ui: { ...ui, dialog: { type: 'filter', before: screenUi(ui).filter } } }
  if (text === 's') return { ui: withScreenUi(ui, { sorting: nextSorting(ui) }) }
  if (text === 'S') return { ui: turned(ui) }
  const { items, chosen, screen: shown } = shownList(world, ui)
  const action = shown.actions.find((each) => each.key === text)
  if (action === undefined || chosen < 0) return { ui }
  return stepped(ui, action.step(items[chosen]), world)
}

function stepped(ui: Ui, step: Step, { nowMs }: World): Pressed {
  switch (step.type) {
    case 'order':
      return { ui, effect: { type: 'order', order: step.order } }
    case 'confirm':
      return { ui: { ...ui, dialog: step } }
    case 'ask':
      return { ui: { ...ui, dialog: { ...step, text: '' } } }
    case 'refuse':
      return { ui: { ...ui, notice: { text: step.why, tone: 'accent', untilMs: nowMs + NOTICE_MS } } }
  }
}

function moved(ui: Ui, name: NamedKey, world: World, size: Size): Ui {
  const at = SCREENS.findIndex(({ id }) => id === ui.screen)
  const other = (by: number): Ui => ({
    ...ui,
    screen: SCREENS[(at + by + SCREENS.length) % SCREENS.length]!.id,
  })
  switch (name) {
    case 'tab':
    case 'right':
      return other(1)
    case 'back-tab':
    case 'left':
      return other(-1)
    case 'escape':
      return withScreenUi(ui, { filter: '' })
    case 'enter':
    case 'backspace':
    case 'quit':
      return ui
    default:
      return chosenAt(ui, name, world, size)
  }
}

function chosenAt(ui: Ui, name: NamedKey, world: World, size: Size): Ui {
  const { screen, items, chosen } = shownList(world, ui)
  if (items.length === 0) return ui
  const page = Math.max(1, Math.floor(bodySize(size).rows / 2))
  const steps: Partial<Record<NamedKey, number>> = {
    ...{ up: -1, down: 1, 'page-up': -page, 'page-down': page },
    ...{ home: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY },
  }
  const place = Math.min(items.length - 1, Math.max(0, chosen + (steps[name] ?? 0)))
  return withScreenUi(ui, { place, chosen: screen.keyOf(items[place]) })
}

/** One column after the other, each in the order that shows most first; after the last as they come in. */
function nextSorting(ui: Ui): Sorting | 'none' {
  const screen = screenOf(ui.screen)
  const can = screen.columns.filter(({ sortBy }) => sortBy !== undefined)
  const now = sortingOf(ui, screen)
  const next = can[now === undefined ? 0 : can.findIndex(({ id }) => id === now.column) + 1]
  return next === undefined ? 'none' : { column: next.id, descending: next.align === 'right' }
}

function turned(ui: Ui): Ui {
  const now = sortingOf(ui, screenOf(ui.screen))
  return now === undefined ? ui : withScreenUi(ui, { sorting: { ...now, descending: !now.descending } })
}

function helpAfter(top: number, key: Key, size: Size): Dialog {
  const page = Math.max(1, bodySize(size).rows - 4)
  const name = key.name === 'text' ? LETTERS[key.text] : key.name
  const steps: Partial<Record<NamedKey, number>> = { up: -1, down: 1, 'page-up': -page, 'page-down': page }
  if (name === 'home') return { type: 'help', top: 0 }
  const step = name === undefined ? undefined : steps[name]
  // Any other key: whoever knows no better gets out by it.
  return step === undefined ? NONE : { type: 'help', top: Math.min(200, Math.max(0, top + step)) }
}

function filterAfter(ui: Ui, before: string, key: Key): Ui {
  const { filter } = screenUi(ui)
  switch (key.name) {
    case 'text':
      return withScreenUi(ui, { filter: typed(filter, key.text) })
    case 'backspace':
      // Rubbing out what is not there ends it, as in other programs.
      return filter === '' ? { ...ui, dialog: NONE } : withScreenUi(ui, { filter: shorter(filter) })
    case 'enter':
      return { ...ui, dialog: NONE }
    case 'escape':
      return { ...withScreenUi(ui, { filter: before === filter ? '' : before }), dialog: NONE }
    default:
      return ui
  }
}

function confirmAfter(ui: Ui, { order }: Dialog & { readonly type: 'confirm' }, key: Key): Pressed {
  // Not by the enter key: it may have been meant for something else.
  if (key.name === 'text' && /^[yY]$/.test(key.text))
    return { ui: { ...ui, dialog: NONE }, effect: { type: 'order', order } }
  const isNo = key.name === 'escape' || (key.name === 'text' && /^[nNq]$/.test(key.text))
  return { ui: isNo ? { ...ui, dialog: NONE } : ui }
}

function askAfter(ui: Ui, dialog: Dialog & { readonly type: 'ask' }, key: Key): Pressed {
  switch (key.name) {
    case 'text':
      return { ui: { ...ui, dialog: { ...dialog, text: typed(dialog.text, key.text) } } }
    case 'backspace':
      return { ui: { ...ui, dialog: { ...dialog, text: shorter(dialog.text) } } }
    case 'escape':
      return { ui: { ...ui, dialog: NONE } }
    case 'enter': {
      const text = dialog.text.trim()
      if (text === '') return { ui }
      return { ui: { ...ui, dialog: NONE }, effect: { type: 'order', order: dialog.orderOf(text) } }
    }
    default:
      return { ui }
  }
}

function typed(text: string, more: string): string {
  return (text + more.replace(/[\p{Cc}\p{Cf}]/gu, '')).slice(0, MAX_TEXT)
}

function shorter(text: string): string {
  return [...text].slice(0, -1).join('')
}
