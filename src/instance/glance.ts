// What must be known of a configuration's text while still root: where its storage lies, which only root may be able to
// make, and whether it holds a secret, so that its file must be private. Promises: no value but the storage path is
// looked at, no secret is decoded, and no text makes it throw: what is wrong with it is told after root's rights are gone.
import { dirname, resolve } from 'node:path'
import { parsePositionedJson } from '../config/json.js'

export interface Glance {
  /** Absolute; absent if the text does not say. */
  readonly storagePath?: string
  readonly holdsSecret: boolean
}

/** Keys whose value, a text, is nobody else's business. */
const PRIVATE_KEYS: ReadonlySet<string> = new Set([
  ...['secret', 'password', 'password_hash', 'api_key', 'proxy_password'],
])

/** Glances at a configuration's text; of one that is no JSON it says nothing, as nothing will run on it. */
export function glance(text: string, fileName: string): Glance {
  const parsed = parsePositionedJson(text)
  if (parsed.type === 'failed') return { holdsSecret: false }
  const { value } = parsed.json
  const path = isObject(value) ? value.storage_path : undefined
  return {
    ...(typeof path === 'string' &&
      path !== '' &&
      !path.includes('\0') && { storagePath: resolve(dirname(resolve(fileName)), path) }),
    holdsSecret: holdsSecret(value),
  }
}

/** Without recursion, which a text may nest too deep for. */
function holdsSecret(value: unknown): boolean {
  const todo: unknown[] = [value]
  for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
    if (typeof next !== 'object' || next === null) continue
    for (const [key, inner] of Object.entries(next)) {
      if (PRIVATE_KEYS.has(key) && typeof inner === 'string' && inner !== '') return true
      todo.push(inner)
    }
  }
  return false
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
