// The three grades of a secret (secret.ts), apart from it for who only names them: deriving loads the ciphers.

/** What a secret lets its holder do. */
export type Grade = 'write' | 'read' | 'blind'

/** Strongest first. */
export const GRADES: readonly Grade[] = ['write', 'read', 'blind']
