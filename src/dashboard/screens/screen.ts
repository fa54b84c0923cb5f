// What a screen of the dashboard is: a list of things with columns, what is told of the chosen one, and what can be done
// to it. All of them are drawn and driven by the same code (model/frame.ts, model/keys.ts).
import type { Keep } from '../../control/schema-conflicts.js'
import type { Line } from '../model/span.js'
import type { Column, Sorting } from '../model/table.js'
import type { World } from '../model/world.js'

export type ScreenId = 'overview' | 'peers' | 'transfers' | 'map' | 'log' | 'conflicts' | 'drift'

/** What is asked of a daemon on a person's word. */
export type Order =
  | {
      readonly type: 'rescan' | 'pause' | 'resume' | 'approve'
      readonly daemon: string
      /** The folder: its place may be another's by then. */
      readonly share: string
    }
  | {
      readonly type: 'resolve'
      readonly daemon: string
      readonly share: string
      readonly copy: string
      readonly keep: Keep
      readonly id: string
    }
  | {
      readonly type: 'acknowledge'
      readonly daemon: string
      readonly share: string
      readonly path: string
      readonly reason: string
    }
  | {
      readonly type: 'withdraw' | 'archive-extra' | 'restore'
      readonly daemon: string
      readonly share: string
      readonly path: string
    }

/** What a key of a screen leads to. */
export type Step =
  /** It is done at once. */
  | { readonly type: 'order'; readonly order: Order }
  /** It is done if a person says yes. */
  | {
      readonly type: 'confirm'
      readonly title: string
      readonly lines: readonly string[]
      readonly order: Order
    }
  /** A line of text is asked for first. */
  | {
      readonly type: 'ask'
      readonly title: string
      readonly lines: readonly string[]
      readonly label: string
      readonly orderOf: (text: string) => Order
    }
  /** It makes no sense here: why. */
  | { readonly type: 'refuse'; readonly why: string }

export interface Action<T> {
  /** One character. */
  readonly key: string
  /** Two or three words, for the last line. */
  readonly label: string
  /** For the help. */
  readonly help: string
  step(item: T): Step
}

export interface Screen<T> {
  readonly id: ScreenId
  readonly title: string
  /** Where there is little room. */
  readonly short: string
  items(world: World): T[]
  keyOf(item: T): string
  /** What the filter looks at. */
  search(item: T): string
  readonly columns: readonly Column<T>[]
  /** Undefined: in the order that they come in. */
  readonly sorting?: Sorting
  /** What is said when there is nothing. */
  empty(world: World): string
  /** How many there are that somebody should look at, for the tab; absent: it has no number. */
  count?(world: World): number
  /** Lines that the details of the chosen one take at most, of so many that there are; 0: none. */
  detailLines(lines: number): number
  /** The list takes no more lines than it has, and the details the rest. */
  readonly isDetailElastic?: true
  detailTitle(item: T): string
  /** At most so many lines; of what is chosen. */
  detail(item: T, width: number, lines: number, world: World): Line[]
  readonly actions: readonly Action<T>[]
}

/** A screen of whatever it lists. */
export type AnyScreen = Screen<unknown>

/** Forgets what a screen lists: its items only ever go back to it. */
export function anyScreen<T>(screen: Screen<T>): AnyScreen {
  return screen as unknown as AnyScreen
}
