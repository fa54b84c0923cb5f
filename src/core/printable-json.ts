// JSON that a terminal shows and never obeys: JSON.stringify escapes what is below a space, but not the control characters
// from U+007F to U+009F, of which U+009B begins a command as ESC [ does, nor those that turn the direction of a text.

/** Line ends stand between the parts of a JSON text. */
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu

/** A JSON text of the same value with such characters, which only its strings can hold, as \uXXXX. */
export function printableJson(json: string): string {
  return json.replace(UNSAFE, (character) =>
    Array.from(
      { length: character.length },
      (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
    ).join(''),
  )
}
