// The whole screen as lines, from what is known, what is set and the size of the terminal. Pure: the same in, the same out;
// whoever draws it draws only if it differs. Promises: exactly `rows` lines, none wider than `columns`.
import { formatCount } from '../../cli/text.js'
import { SCREENS } from '../screens/screens.js'
import { rule } from '../screens/shared.js'
import { boxLines, boxRoom, wrapWords } from './box.js'
import { clock, perSecond } from './format.js'
import { helpLines } from './help.js'
import { type ShownList, shownList } from './list.js'
import { bold, cut, cutLine, ends, joined, type Line, lineWidth, safe, span, type Words } from './span.js'
import { tableLines, windowStart } from './table.js'
import { type Dialog, screenUi, type Ui } from './ui.js'
import { totalRates, type World } from './world.js'

export interface Size {
  readonly columns: number
  readonly rows: number
}

/** Below this there is no room for anything of use. */
const LEAST: Size = { columns: 40, rows: 10 }
/** Title, tabs, and the last line. */
const AROUND = 3
const BRAND = 'shoal'

export function frameOf(world: World, ui: Ui, size: Size): Line[] {
  const { columns, rows } = size
  if (columns < LEAST.columns || rows < LEAST.rows)
    return filled([[span(cut(`shoal: at least ${LEAST.columns}x${LEAST.rows}, please`, columns))]], rows)
  const list = shownList(world, ui)
  const body = rows - AROUND
  const lines = [
    titleLine(world, columns),
    tabsLine(world, ui, columns),
    ...filled(withDialog(bodyLines(list, world, columns, body), ui.dialog, columns, body), body),
    lastLine(world, ui, list, columns),
  ]
  return lines.map((line) => cutLine(line, columns))
}

/** Columns and lines that the details of a screen have at most. */
export function bodySize({ columns, rows }: Size): Size {
  return { columns, rows: Math.max(0, rows - AROUND) }
}

function titleLine(world: World, columns: number): Line {
  const { daemons, nowMs } = world
  const shares = daemons.reduce((sum, { status }) => sum + (status?.shares.length ?? 0), 0)
  const silent = daemons.filter(({ reach }) => reach.type === 'down').length
  const rates = totalRates(world)
  const brand = [span(` ${BRAND} `, 'accent', { bold: true, inverse: true })]
  const who =
    daemons.length === 1
      ? (daemons[0]!.status?.name ?? daemons[0]!.name)
      : formatCount(daemons.length, 'daemon')
  const without = silent > 0 ? [span(`${silent} without reply`, 'bad')] : ''
  const moves = joined([
    [span(`▼ ${perSecond(rates.down)}`, 'down')],
    [span(`▲ ${perSecond(rates.up)}`, 'up')],
  ])
  const time = clock(nowMs)
  const ways: readonly (readonly [left: readonly Words[], right: readonly Words[]])[] = [
    [
      [brand, safe(who), formatCount(shares, 'share'), without],
      [moves, time],
    ],
    [
      [brand, safe(who), without],
      [moves, time],
    ],
    [[brand, safe(who), without], [moves]],
    [[brand, without], [moves]],
  ]
  const [left, right] = ways
    .map((way) => [joined(way[0]), joined(way[1])] as const)
    .find((way) => lineWidth(way[0]) + lineWidth(way[1]) + 2 <= columns) ?? [brand, moves]
  return ends(left, right, columns)
}

function tabsLine(world: World, ui: Ui, columns: number): Line {
  const counts = new Map(SCREENS.map(({ id, count }) => [id, count?.(world) ?? 0]))
  const tabs = (isShort: boolean): Line[] =>
    SCREENS.map(({ id, title, short }, at) => {
      const count = counts.get(id)!
      // What is fetched is no news; what somebody should look at is.
      const isLoud = count > 0 && id !== 'transfers'
      const few = count > 99 ? '99+' : count
      const number = isShort ? (isLoud ? `(${few})` : '') : count > 0 ? ` (${few})` : ''
      const text = `${at + 1} ${isShort ? short : title}${number}`
      if (id === ui.screen) return [span(text, undefined, { bold: true, inverse: true })]
      return isLoud ? [span(text, 'warn')] : [span(text, 'muted')]
    })
  const ways: readonly [isShort: boolean, gap: string][] = [
    [false, '   '],
    [false, '  '],
    [true, '  '],
    [true, ' '],
  ]
  const lines = ways.map(([isShort, gap]) => joined(tabs(isShort), gap))
  return [{ text: ' ' }, ...(lines.find((line) => lineWidth(line) < columns) ?? lines.at(-1)!)]
}

function bodyLines(list: ShownList, world: World, columns: number, body: number): Line[] {
  const { screen, items, all, chosen, sorting } = list
  if (items.length === 0) {
    const text = all > 0 ? 'nothing holds these words; esc: show everything' : screen.empty(world)
    return [[], ...wrapWords(text, columns - 4).map((line): Line => [span(`  ${line}`, 'muted')])]
  }
  const wanted = Math.min(screen.detailLines(body), body - 4)
  const room = wanted <= 0 ? body : body - wanted - 1
  const tableHeight = screen.isDetailElastic === true ? Math.min(items.length + 1, room) : room
  const start = windowStart(items.length, chosen, tableHeight - 1)
  const table = tableLines(screen.columns, items, {
    ...{ width: columns, lines: tableHeight, chosen, start, sorting },
  })
  if (wanted <= 0) return table
  const detailHeight = body - tableHeight - 1
  const hidden = items.length > tableHeight - 1 ? ` ${chosen + 1} of ${items.length} ` : ''
  const line = rule(screen.detailTitle(items[chosen]), columns - hidden.length)
  return [
    ...filled(table, tableHeight),
    [...line, span(hidden, 'muted')],
    ...screen
      .detail(items[chosen], columns - 2, detailHeight, world)
      .map((each): Line => [{ text: ' ' }, ...each]),
  ]
}

/** A question lies over the top of the list, so that what it is about stays in sight below; the help over everything. */
function withDialog(lines: readonly Line[], dialog: Dialog, columns: number, body: number): readonly Line[] {
  const room = boxRoom(columns)
  switch (dialog.type) {
    case 'none':
    case 'filter':
      return lines
    case 'help': {
      const all = helpLines(room)
      const shown = Math.max(1, body - 2)
      const top = Math.min(dialog.top, Math.max(0, all.length - shown))
      const more = all.length > shown ? ', up and down for more' : ''
      return boxLines(`Help (esc: close${more})`, all.slice(top, top + shown), columns, body)
    }
    case 'confirm': {
      const keys = [bold('y', 'accent'), span(' yes   '), bold('n', 'accent'), span(' no')]
      const content: Words[] = [...dialog.lines.flatMap((text) => wrapWords(text, room)), '', keys]
      return over(lines, boxLines(dialog.title, content, columns, body), body)
    }
    case 'ask': {
      const { label, text, title } = dialog
      const keys = [bold('enter', 'accent'), span(' done   '), bold('esc', 'accent'), span(' no')]
      const field = [span(`${label}: `, 'muted'), span(lastColumns(text, room - label.length - 3)), cursor()]
      const content: Words[] = [...dialog.lines.flatMap((line) => wrapWords(line, room)), '', field, '', keys]
      return over(lines, boxLines(title, content, columns, body), body)
    }
  }
}

function over(lines: readonly Line[], box: readonly Line[], body: number): Line[] {
  return [...box, ...filled(lines, body).slice(box.length)]
}

/** What the keys do; or a notice, or the filter. */
function lastLine({ nowMs }: World, ui: Ui, list: ShownList, columns: number): Line {
  const { dialog, notice } = ui
  const { filter } = screenUi(ui)
  if (dialog.type === 'filter') {
    const found = span(`  ${list.items.length} of ${list.all}  enter: done  esc: all`, 'muted')
    return [bold(' /', 'accent'), span(lastColumns(filter, columns - 40)), cursor(), found]
  }
  if (notice !== undefined && notice.untilMs > nowMs)
    return [span(` ${notice.text}`, notice.tone, { bold: true })]
  const key = (name: string, what: string): Line => [bold(name, 'accent'), span(` ${what}`)]
  const filtered: Words =
    filter === ''
      ? ''
      : [span(`/${cut(filter, 16)} ${list.items.length} of ${list.all}`, 'warn'), span(' esc: all')]
  const actions = list.items.length === 0 ? [] : list.screen.actions.map((each) => key(each.key, each.label))
  const last = [key('?', 'help'), key('q', 'quit')]
  const others = [key('↑↓', 'choose'), key('s', 'sort'), key('/', 'filter')]
  for (const some of [others, others.slice(1), others.slice(2), []]) {
    const line = joined([filtered, ...actions, ...some, ...last])
    if (lineWidth(line) + 1 <= columns) return [{ text: ' ' }, ...line]
  }
  const close = joined([filtered, ...actions, ...last], ' ')
  if (lineWidth(close) + 1 <= columns) return [{ text: ' ' }, ...close]
  return [{ text: ' ' }, ...ends(joined([filtered, ...actions]), joined(['', ...last]), columns - 1)]
}

function cursor(): { readonly text: string; readonly inverse: true } {
  return { text: ' ', inverse: true }
}

function lastColumns(text: string, columns: number): string {
  return [...text].slice(-Math.max(1, columns)).join('')
}

function filled(lines: readonly Line[], count: number): Line[] {
  return Array.from({ length: count }, (_, at) => lines[at] ?? [])
}
