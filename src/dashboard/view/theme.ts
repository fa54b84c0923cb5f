// How a style looks: what ink takes for it. With 16 colours only the terminal's own are used, so that they suit whatever
// background it has; with 256 what is muted is a grey that can be told from both; with NO_COLOR, bold and inverse alone.
import type { Style, Tone } from '../model/span.js'

/** Of a text in ink. */
export interface Look {
  readonly color?: string
  readonly bold?: boolean
  readonly dimColor?: boolean
  readonly inverse?: boolean
  readonly backgroundColor?: string
}

export type Theme = Readonly<Record<Tone, Look>>

const SIXTEEN: Theme = {
  accent: { color: 'cyan' },
  good: { color: 'green' },
  warn: { color: 'yellow' },
  bad: { color: 'red' },
  muted: { color: 'gray' },
  down: { color: 'green' },
  up: { color: 'magenta' },
}

const MANY: Theme = {
  accent: { color: 'ansi256(80)' },
  good: { color: 'ansi256(78)' },
  warn: { color: 'ansi256(214)' },
  bad: { color: 'ansi256(203)' },
  muted: { color: 'ansi256(245)' },
  down: { color: 'ansi256(78)' },
  up: { color: 'ansi256(141)' },
}

const CHOSEN = 'ansi256(238)'

const NONE: Theme = { accent: {}, good: {}, warn: {}, bad: {}, muted: {}, down: {}, up: {} }

/** The theme for what the environment says of the terminal (https://no-color.org; TERM, COLORTERM). */
export function themeOf(env: Readonly<Record<string, string | undefined>>): Theme {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return NONE
  const isMany = /256|direct/.test(env.TERM ?? '') || /truecolor|24bit/.test(env.COLORTERM ?? '')
  return isMany ? MANY : SIXTEEN
}

export function lookOf(theme: Theme, { tone, bold, inverse, chosen }: Style): Look {
  // Where there are colours enough, what is chosen keeps its own on another paper; else it is all turned round.
  if (chosen === true && theme !== MANY) return { inverse: true, ...(bold === true ? { bold } : {}) }
  return {
    ...(tone === undefined ? {} : theme[tone]),
    ...(chosen === true ? { backgroundColor: CHOSEN } : {}),
    ...(bold === true ? { bold } : {}),
    ...(inverse === true ? { inverse } : {}),
  }
}
