// What can be said of work under way, and that as a line of text. Pure.
import { formatBytes, formatDuration, printable } from '../text.js'
import type { Rate } from './rate.js'

/** How far something has come. */
export interface Measure {
  readonly done: number
  /** Absent: nobody knows. */
  readonly total?: number
  /** What is counted: bytes, or things by their noun ("file"). */
  readonly unit: 'bytes' | (string & {})
  /** What is being done just now, or waited for; untrusted text is made safe here. */
  readonly detail?: string
  /** Milliseconds after which it is given up. */
  readonly givesUpInMs?: number
}

export interface Shown {
  readonly label: string
  readonly measure: Measure | undefined
  readonly rate: Rate
  /** Since it began, milliseconds. */
  readonly elapsedMs: number
}

/** Narrower, a bar says nothing. */
const LEAST_BAR = 8
const MOST_BAR = 40
const SPINNER = ['|', '/', '-', '\\']
/** A time left of less than this much experience is a guess. */
const LEAST_EXPERIENCE_MS = 1000

/** One line for a terminal of so many columns, without a line end; what has no room is left out, the least needed first. */
export function formatLine(shown: Shown, columns: number): string {
  const share = fractionOf(shown.measure)
  const spinner = SPINNER[Math.floor(shown.elapsedMs / 250) % SPINNER.length]!
  const percent = share === undefined ? spinner : percentOf(share)
  const { amount, rate, time, detail } = partsOf(shown)
  // From all of it to the label alone: the first that fits.
  const choices = [
    [percent, amount, rate, time, detail],
    [percent, amount, rate, time],
    [percent, amount, time],
    [percent, time],
    [percent],
    [],
  ]
  const room = Math.max(0, columns - 1)
  for (const parts of choices) {
    const texts = parts.filter((part) => part !== '')
    const text = [shown.label, ...texts].join('  ')
    const barRoom = room - text.length - 4
    if (share !== undefined && barRoom >= LEAST_BAR)
      return [shown.label, bar(share, Math.min(MOST_BAR, barRoom)), ...texts].join('  ')
    if (text.length <= room && (share === undefined || room < 40)) return text
  }
  return shown.label.slice(0, room)
}

/** The same where there is no terminal. */
export function formatPlain(shown: Shown): string {
  const share = fractionOf(shown.measure)
  const { amount, rate, time, detail } = partsOf(shown)
  const parts = [share === undefined ? '' : percentOf(share).trim(), amount, rate, time, detail]
  return `${shown.label}: ${parts.filter((part) => part !== '').join(', ')}`
}

function partsOf({ measure, rate, elapsedMs }: Shown): {
  readonly amount: string
  readonly rate: string
  readonly time: string
  readonly detail: string
} {
  const time = `for ${seconds(elapsedMs)}`
  if (measure === undefined) return { amount: '', rate: '', time, detail: '' }
  const { done, total, unit, detail = '', givesUpInMs } = measure
  const perSecond = rate.perSecond
  return {
    amount: done === 0 && total === undefined ? '' : amountOf(done, total, unit),
    rate: perSecond === undefined || perSecond <= 0 ? '' : rateOf(perSecond, unit),
    time: leftOf(measure, rate) ?? (givesUpInMs === undefined ? time : `gives up in ${seconds(givesUpInMs)}`),
    detail: printable(detail),
  }
}

function fractionOf(measure: Measure | undefined): number | undefined {
  if (measure?.total === undefined || measure.total <= 0) return undefined
  return Math.min(1, Math.max(0, measure.done / measure.total))
}

/** Never 100 % before it is. */
function percentOf(fraction: number): string {
  return `${String(fraction >= 1 ? 100 : Math.min(99, Math.floor(fraction * 100))).padStart(3)}%`
}

function bar(fraction: number, width: number): string {
  const full = Math.floor(fraction * width)
  return `[${'#'.repeat(full)}${'.'.repeat(width - full)}]`
}

function amountOf(done: number, total: number | undefined, unit: string): string {
  if (unit === 'bytes')
    return total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`
  const noun = (total ?? done) === 1 ? unit : `${unit}s`
  return total === undefined ? `${done} ${noun}` : `${done} of ${total} ${noun}`
}

function rateOf(perSecond: number, unit: string): string {
  if (unit === 'bytes') return `${formatBytes(perSecond)}/s`
  return `${perSecond < 10 ? perSecond.toFixed(1) : Math.round(perSecond)}/s`
}

function leftOf({ done, total }: Measure, { perSecond, experienceMs }: Rate): string | undefined {
  if (total === undefined || perSecond === undefined || perSecond <= 0) return undefined
  if (experienceMs < LEAST_EXPERIENCE_MS || done >= total) return undefined
  return `${seconds(((total - done) / perSecond) * 1000)} left`
}

function seconds(ms: number): string {
  return formatDuration(Math.max(0, Math.ceil(ms / 1000)))
}
