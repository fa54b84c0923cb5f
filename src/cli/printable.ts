// Names and paths come from other machines: control characters never reach the terminal. Apart from the rest of text.ts, as
// it is needed before it is known which command is run.

/** A text with control and other invisible characters as \u{...}, and what is not Unicode as a question mark. */
export function printable(text: string): string {
  return text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`)
}
