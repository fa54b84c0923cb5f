// Checks a configuration file against the schema (root-keys.ts and its neighbours) and tells what of it has no effect.
// What a value means beside others (folders that overlap, ...) is checks.ts's. Complaints never quote a text, as it may
// be a secret at the wrong place; keys are shown only as far as they cannot be one.
import { z } from 'zod'
import { HOOK, RETRY } from './hook-keys.js'
import { formatKey, type KeyPath, type PositionedJson, type Problem } from './json.js'
import { infoOf } from './key-info.js'
import { type ConfigShape, ROOT } from './root-keys.js'
import { FOLDER_DEFAULTS, SHARE, type ShareShape } from './share-keys.js'
import { wrong } from './values.js'
import { WEBUI } from './webui-keys.js'

export type ShapeResult =
  | { readonly type: 'ok'; readonly shape: ConfigShape; readonly warnings: readonly Problem[] }
  | { readonly type: 'failed'; readonly problems: readonly Problem[] }

/** The whole file. */
export const CONFIG: z.ZodType<ConfigShape> = z.object(ROOT, { error: wrong('an object in braces') })

/** Objects within the file, by their path; lists stand for each of their entries. */
const WITHIN: readonly { readonly at: string; readonly keys: Readonly<Record<string, z.ZodType>> }[] = [
  { at: 'webui', keys: WEBUI },
  { at: 'folder_defaults', keys: FOLDER_DEFAULTS },
  { at: 'shared_folders', keys: SHARE },
]

const UNKNOWN_KEY = 'is not a key of this place and has no effect'

/** Checks the shape and fills in defaults. Unknown keys and those with no effect in this version are warnings. */
export function checkShape(json: PositionedJson): ShapeResult {
  const result = CONFIG.safeParse(json.value)
  if (!result.success) {
    const problems = result.error.issues.map((issue) => asProblem(json, issue))
    return { type: 'failed', problems: withoutTwins(problems) }
  }
  const shape = result.data
  const warnings = withoutEffect(json, [], ROOT, shape)
  for (const { at, keys } of WITHIN) {
    const value: unknown = shape[at as keyof ConfigShape]
    if (Array.isArray(value))
      for (const [index, entry] of value.entries()) {
        warnings.push(...withoutEffect(json, [at, index], keys, entry))
        const hooks: readonly unknown[] = (entry as Partial<ShareShape>).on_change ?? []
        for (const [hookAt, hook] of hooks.entries()) {
          const path = [at, index, 'on_change', hookAt]
          warnings.push(
            ...withoutEffect(json, path, HOOK, hook),
            ...unknownKeys(json, [...path, 'retry'], RETRY),
          )
        }
      }
    else if (value !== undefined) warnings.push(...withoutEffect(json, [at], keys, value))
  }
  const twice = givenTwice(json)
  return twice.length > 0 ? { type: 'failed', problems: twice } : { type: 'ok', shape, warnings }
}

function asProblem(
  json: PositionedJson,
  issue: { readonly path: PropertyKey[]; readonly message: string },
): Problem {
  const at = issue.path as KeyPath
  return { position: json.positionOf(at), key: formatKey(at), message: issue.message }
}

/** A number can be wrong in two ways at once, and the one message says all of it. */
function withoutTwins(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>()
  return problems.filter(({ key, message }) => {
    const line = `${key}: ${message}`
    const isNew = !seen.has(line)
    seen.add(line)
    return isNew
  })
}

/** Keys of an object, if it is there, whose own keys are in no table. */
function unknownKeys(json: PositionedJson, at: KeyPath, known: readonly string[]): Problem[] {
  // Of a place that is not there, keysAt tells the keys around it.
  if (!json.keysAt(at.slice(0, -1)).some(({ key }) => key === at.at(-1))) return []
  return json
    .keysAt(at)
    .filter(({ key }) => !known.includes(key))
    .map(({ key, position }) => ({ position, key: formatKey([...at, key]), message: UNKNOWN_KEY }))
}

function withoutEffect(
  json: PositionedJson,
  at: KeyPath,
  schemas: Readonly<Record<string, z.ZodType>>,
  values: unknown,
): Problem[] {
  return json.keysAt(at).flatMap(({ key, position }) => {
    const place = { position, key: formatKey([...at, key]) }
    const schema = Object.hasOwn(schemas, key) ? schemas[key] : undefined
    const fate = schema === undefined ? undefined : infoOf(schema)?.fate
    if (fate === undefined) return [{ ...place, message: UNKNOWN_KEY }]
    if (fate.type === 'works' || !fate.isAsked((values as Record<string, unknown>)[key])) return []
    const line = fate.line.replaceAll('`', '')
    if (fate.type === 'done') return [{ ...place, message: `has nothing left to do: ${line}`, isNote: true }]
    const message = `is not honoured yet by this version and has no effect: ${line}`
    return [{ ...place, message, notYet: true }]
  })
}

/** A default of folders given both within folder_defaults and with a dot: which one is meant? */
function givenTwice(json: PositionedJson): Problem[] {
  const within = new Map(json.keysAt(['folder_defaults']).map(({ key, position }) => [key, position]))
  return json.keysAt([]).flatMap(({ key, position }) => {
    const first = within.get(key.replace(/^folder_defaults\./, ''))
    if (first === undefined || !key.startsWith('folder_defaults.')) return []
    return [{ position, key, message: 'is given twice, also within folder_defaults; expected once' }]
  })
}
