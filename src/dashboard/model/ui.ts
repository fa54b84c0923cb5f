// What a person has set on the dashboard: which screen, what is chosen and how it is sorted on each, filters, what is asked.
import type { Order, ScreenId } from '../screens/screen.js'
import type { Sorting } from './table.js'

export interface ScreenUi {
  /** Key of the chosen item; the first one if it is gone or undefined. */
  readonly chosen?: string | undefined
  /** Where it was in the list: what takes its place when it is gone. */
  readonly place: number
  /** Undefined: the screen's own. 'none': as they come in. */
  readonly sorting?: Sorting | 'none' | undefined
  /** Empty: everything. */
  readonly filter: string
}

export type Dialog =
  | { readonly type: 'none' }
  | { readonly type: 'help'; readonly top: number }
  /** The filter is being typed. `before`: as it was. */
  | { readonly type: 'filter'; readonly before: string }
  | {
      readonly type: 'confirm'
      readonly title: string
      readonly lines: readonly string[]
      readonly order: Order
    }
  | {
      readonly type: 'ask'
      readonly title: string
      readonly lines: readonly string[]
      readonly label: string
      readonly text: string
      readonly orderOf: (text: string) => Order
    }

export interface Notice {
  readonly text: string
  readonly tone: 'good' | 'bad' | 'accent'
  /** Shown until then, milliseconds since 1970. */
  readonly untilMs: number
}

export interface Ui {
  readonly screen: ScreenId
  readonly screens: Readonly<Partial<Record<ScreenId, ScreenUi>>>
  readonly dialog: Dialog
  readonly notice: Notice | undefined
}

export const FIRST_UI: Ui = { screen: 'overview', screens: {}, dialog: { type: 'none' }, notice: undefined }

const BLANK: ScreenUi = { place: 0, filter: '' }

export function screenUi(ui: Ui, id: ScreenId = ui.screen): ScreenUi {
  return ui.screens[id] ?? BLANK
}

export function withScreenUi(ui: Ui, changes: Partial<ScreenUi>): Ui {
  const own = { ...screenUi(ui), ...changes }
  return { ...ui, screens: { ...ui.screens, [ui.screen]: own } }
}
