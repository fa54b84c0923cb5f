// The schema of the configuration file in other forms: rows for the manual page, the tables of docs/configuration.md, and
// a JSON schema for editors. `npm run docs` writes the last two; a test says when that was forgotten.
import { z } from 'zod'
import { driftRules, POLICIES } from './drift-rules.js'
import { HOOK } from './hook-keys.js'
import { infoOf, type KeyInfo } from './key-info.js'
import { ROOT } from './root-keys.js'
import { CONFIG } from './shape.js'
import { FOLDER_DEFAULTS, SHARE } from './share-keys.js'
import { hosts } from './values.js'
import { WEBUI } from './webui-keys.js'

/** An object of the file: the root, an entry of shared_folders or of its on_change, or one that the root holds. */
export type Section = 'root' | 'shared_folders' | 'on_change' | 'folder_defaults' | 'webui'

/** One key, in words. Words hold Markdown's backquotes and links (plainText), and no line breaks. */
export interface KeyRow {
  readonly section: Section
  readonly key: string
  /** "flag", "whole number", "path", ... */
  readonly type: string
  /** A value as it would be written, in backquotes, or words: "required", "none". */
  readonly default: string
  /** "seconds", "days", "MB", "kB/s"; empty for what has none. */
  readonly unit: string
  /** What it means, without a full stop. */
  readonly text: string
  /** works: honoured. done: accepted, and nothing is left to do. not-yet: accepted with a warning where it is asked for. */
  readonly fate: 'works' | 'done' | 'not-yet'
}

const SECTIONS: Readonly<Record<Section, Readonly<Record<string, z.ZodType>>>> = {
  root: ROOT,
  shared_folders: SHARE,
  on_change: HOOK,
  folder_defaults: FOLDER_DEFAULTS,
  webui: WEBUI,
}

/** Lists that may be one text. */
const ONE_OR_MORE: readonly z.core.$ZodType[] = [hosts, HOOK.match]

/** A text of a row without Markdown: no backquotes, and links by their words. */
export function plainText(text: string): string {
  return text.replaceAll('`', '').replace(/\[([^\]]+)\]\([^)]*\)/g, '$1')
}

/** Every key, section by section, in the order of the documentation. */
export function keyRows(): KeyRow[] {
  return Object.entries(SECTIONS).flatMap(([section, keys]) =>
    Object.entries(keys)
      // The dotted spelling of folder_defaults is said of that key.
      .filter(([key]) => !key.includes('.'))
      .map(([key, schema]) => rowOf(section as Section, key, schema, infoOf(schema)!)),
  )
}

/** The JSON schema (draft 7) of the file, for editors; what only the daemon can check is not in it. */
export function configJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(CONFIG, {
    target: 'draft-07',
    io: 'input',
    reused: 'inline',
    override: ({ zodSchema, jsonSchema }) => {
      const info = infoOf(zodSchema)
      if (info !== undefined) jsonSchema.description = descriptionOf(info)
      if ((zodSchema as z.core.$ZodType) === driftRules) {
        const { type, items } = jsonSchema
        delete jsonSchema.type
        delete jsonSchema.items
        Object.assign(jsonSchema, { anyOf: [{ enum: [...POLICIES] }, { type, items }] })
      }
      if (ONE_OR_MORE.includes(zodSchema)) {
        const { description, ...list } = { ...jsonSchema }
        for (const key of Object.keys(list)) delete jsonSchema[key]
        Object.assign(jsonSchema, { anyOf: [list, { type: 'string' }] })
      }
    },
  })
  return { ...schema, title: 'Configuration file of Shoal', allowComments: true, allowTrailingCommas: false }
}

const BEGIN = /^<!-- keys: (\w+) (works|done|not-yet) -->$/

/**
 * docs/configuration.md with its tables made anew: each stands between `<!-- keys: SECTION FATE -->` and `<!-- end -->`.
 * Gives the page unchanged if they are up to date.
 */
export function withKeyTables(page: string): string {
  const rows = keyRows()
  const out: string[] = []
  let isWithin = false
  for (const line of page.split('\n')) {
    if (line === '<!-- end -->') isWithin = false
    if (!isWithin) out.push(line)
    const [, section, fate] = BEGIN.exec(line) ?? []
    if (section === undefined) continue
    isWithin = true
    out.push('', ...table(rows.filter((row) => row.section === section && row.fate === fate)), '')
  }
  return out.join('\n')
}

function rowOf(section: Section, key: string, schema: z.ZodType, info: KeyInfo): KeyRow {
  const { type, unit = '', text, fate } = info
  return {
    section,
    key,
    type,
    default: info.default ?? defaultOf(schema),
    unit,
    text: textOf(text, fate),
    fate: fate.type,
  }
}

function defaultOf(schema: z.ZodType): string {
  return `\`${JSON.stringify(schema.parse(undefined))}\``
}

function textOf(text: string, fate: KeyInfo['fate']): string {
  return fate.type === 'not-yet' ? `${text}. Not yet: ${fate.line}` : text
}

function descriptionOf({ text, unit, fate }: KeyInfo): string {
  const measure = unit === undefined ? '' : ` (${unit})`
  const words = fate.type === 'done' ? `Nothing left to do: ${text}` : textOf(text, fate)
  return plainText(`${words}${measure}`)
}

function table(rows: readonly KeyRow[]): string[] {
  const isDone = rows.every(({ fate }) => fate === 'done')
  const heads = isDone
    ? ['key', 'type', 'why nothing is left to do']
    : ['key', 'type', 'default', 'unit', 'meaning']
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [
    line(heads),
    `|${heads.map(() => '---|').join('')}`,
    ...rows.map((row) => {
      const key = `\`${row.key}\``
      return line(isDone ? [key, row.type, row.text] : [key, row.type, row.default, row.unit, row.text])
    }),
  ]
}
