// A list of things as lines of aligned columns, for a given number of columns and lines of the screen. The widths do not
// depend on what is shown, so that nothing jumps when values change; where it is narrow, the columns that matter least
// are left out, and what is left is shared by the columns that can use it.
import { type Line, lineOf, padLine, span, type Words } from './span.js'

export interface Column<T> {
  readonly id: string
  readonly title: string
  /** Columns of the screen; of one with a weight, the fewest that it is shown with. */
  readonly width: number
  /** With fewer than these those that matter little are left out first. */
  readonly wish?: number
  /** Its part of what is left; default 0. */
  readonly weight?: number
  /** The most that it takes of it. */
  readonly most?: number
  readonly align?: 'left' | 'right'
  /** Those with the highest are left out first; 0: never. */
  readonly rank: number
  /** `width` is what it has now. */
  cell(item: T, width: number): Words
  /** What sorting by it goes by; absent: it cannot be sorted by. */
  sortBy?(item: T): number | string
}

export interface Sorting {
  readonly column: string
  readonly descending: boolean
}

const GAP = 1
/** Columns of this rank and above matter less than a name that can be read. */
const LITTLE = 4
const MARK = '▸'

export interface PlacedColumn<T> {
  readonly column: Column<T>
  readonly width: number
}

/** Which columns are shown, and how wide. `room`: columns of the screen. */
export function placeColumns<T>(columns: readonly Column<T>[], room: number): PlacedColumn<T>[] {
  let shown = [...columns]
  const needed = (of: (column: Column<T>) => number = ({ width }) => width): number =>
    shown.reduce((sum, column) => sum + of(column) + GAP, -GAP)
  const leaveOut = (least: number, isTooMuch: () => boolean): void => {
    while (isTooMuch()) {
      const rank = Math.max(...shown.map((column) => column.rank))
      if (rank < least) return
      const at = shown.findLastIndex((column) => column.rank === rank)
      shown = shown.filter((_, index) => index !== at)
    }
  }
  leaveOut(LITTLE, () => needed(({ width, wish }) => wish ?? width) > room)
  leaveOut(1, () => needed() > room)
  const widths = new Map(shown.map((column) => [column, column.width]))
  let left = Math.max(0, room - needed())
  let open = shown.filter(({ weight = 0 }) => weight > 0)
  while (left > 0 && open.length > 0) {
    const weights = open.reduce((sum, { weight = 0 }) => sum + weight, 0)
    const before = left
    for (const column of open) {
      const part = Math.min(left, Math.max(1, Math.floor((before * column.weight!) / weights)))
      const width = widths.get(column)!
      const more = Math.min(part, (column.most ?? Number.POSITIVE_INFINITY) - width)
      widths.set(column, width + more)
      left -= more
    }
    open = open.filter((column) => widths.get(column)! < (column.most ?? Number.POSITIVE_INFINITY))
  }
  return shown.map((column) => ({ column, width: widths.get(column)! }))
}

/** Sorted by a column, otherwise as they were; `sorting` undefined: as they are. */
export function sorted<T>(
  items: readonly T[],
  columns: readonly Column<T>[],
  sorting: Sorting | undefined,
): T[] {
  const sortBy = columns.find(({ id }) => id === sorting?.column)?.sortBy
  if (sorting === undefined || sortBy === undefined) return [...items]
  const sign = sorting.descending ? -1 : 1
  return items
    .map((item, at) => ({ item, at, value: sortBy(item) }))
    .sort((a, b) => sign * compare(a.value, b.value) || a.at - b.at)
    .map(({ item }) => item)
}

/** The first item that is shown: the chosen one is in the middle, as far as the ends of the list allow. */
export function windowStart(count: number, chosen: number, lines: number): number {
  return Math.max(0, Math.min(count - lines, chosen - Math.floor(lines / 2)))
}

/** Headings and as many items as fit; at least the headings. */
export function tableLines<T>(
  columns: readonly Column<T>[],
  items: readonly T[],
  options: {
    readonly width: number
    readonly lines: number
    /** Place of the chosen item; -1: none. */
    readonly chosen: number
    readonly start: number
    readonly sorting: Sorting | undefined
  },
): Line[] {
  const { width, lines, chosen, start, sorting } = options
  const room = width - MARK.length - 1
  const placedColumns = placeColumns(columns, room)
  const heading = placedColumns.map(({ column, width: columnWidth }) => {
    const { id, title, align } = column
    const isSorted = id === sorting?.column
    const arrow = isSorted ? (sorting!.descending ? '▼' : '▲') : ''
    const text = align === 'right' ? `${arrow}${title}` : `${title}${arrow}`
    const style = isSorted ? span(text, 'accent', { bold: true }) : span(text, 'muted', { bold: true })
    return padLine([style], columnWidth, align)
  })
  const rows = items.slice(start, start + lines - 1).map((item, at) => {
    const cells = placedColumns.map(({ column, width: columnWidth }) =>
      padLine(lineOf(column.cell(item, columnWidth)), columnWidth, column.align),
    )
    const isChosen = start + at === chosen
    const line = [{ text: isChosen ? `${MARK} ` : '  ' }, ...withGaps(cells)]
    return isChosen ? chosenLine(line, width) : line
  })
  return [[{ text: '  ' }, ...withGaps(heading)], ...rows]
}

/** Over the whole width, so that it is found at a glance. */
function chosenLine(line: Line, width: number): Line {
  return padLine(line, width).map((part) => ({ ...part, chosen: true }))
}

function withGaps(cells: readonly Line[]): Line {
  return cells.flatMap((cell, at) => (at === 0 ? cell : [{ text: ' '.repeat(GAP) }, ...cell]))
}

function compare(a: number | string, b: number | string): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b
  return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0
}
