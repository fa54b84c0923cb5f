// A configuration's text without the secrets that stand in it, for who looks at the configurations of many users at once:
// no key is decoded before a daemon has become its user. All other characters keep their places, so that what is wrong is
// told where it stands.
import { createScanner } from 'jsonc-parser'

// SyntaxKind of jsonc-parser, which declares it in a way that single modules cannot import.
const COLON = 6
const STRING = 10
const COMMENTS_AND_SPACE: ReadonlySet<number> = new Set([12, 13, 14, 15])
const END = 17

const KEY = 'secret'
/** Reads as a secret in a file of its own, which nobody opens here. */
const STAND_IN = '{"file":"-"}'

/** What is too short to be a secret stays. Never throws. */
export function withoutSecrets(text: string): string {
  const scanner = createScanner(text, false)
  let blanked = ''
  let from = 0
  let key: string | undefined
  let isValue = false
  for (let token: number = scanner.scan(); token !== END; token = scanner.scan()) {
    if (COMMENTS_AND_SPACE.has(token)) continue
    const length = scanner.getTokenLength()
    if (token === STRING && isValue && key === KEY && length >= STAND_IN.length) {
      const start = scanner.getTokenOffset()
      blanked += text.slice(from, start) + STAND_IN.padEnd(length)
      from = start + length
    }
    isValue = token === COLON && key !== undefined
    if (!isValue) key = token === STRING ? scanner.getTokenValue() : undefined
  }
  return blanked + text.slice(from)
}
