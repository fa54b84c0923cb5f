// `shoal secret`: makes secrets and shows what a secret grants. Secrets are only ever read from a file or standard input:
// arguments are visible to every user of the machine.
import { randomBytes } from 'node:crypto'
import { readSecretText } from '../config/secret-file.js'
import { ShoalError } from '../core/error.js'
import { KEY_BYTES } from '../core/keys.js'
import { formatRelayPass } from '../core/relay-pass.js'
import {
  deriveSecret,
  formatSecret,
  GRADES,
  type Grade,
  keysOf,
  parseSecret,
  type Secret,
  writeSecretOf,
} from '../core/secret.js'
import { redactSecrets } from '../core/secret-redact.js'
import type { CliIo } from './io.js'
import { readInput } from './secret-input.js'
import { formatJson, formatTable } from './text.js'

/** Prints the secrets of a new share, all three grades, or the one asked for alone on its line. */
export function secretNew(io: CliIo, options: { readonly json?: boolean; readonly grade?: Grade }): void {
  const secret = writeSecretOf(randomBytes(KEY_BYTES))
  if (options.grade !== undefined) return printOne(io, secret, options.grade, options.json === true)
  const grades = gradesOf(secret)
  io.out(options.json === true ? formatJson(grades) : formatTable(Object.entries(grades)))
}

/** Prints a secret's grade and those below, or just one of them. Throws SECRET_INVALID, SECRET_GRADE, CONFIG_UNREADABLE. */
export async function secretShow(
  io: CliIo,
  file: string | undefined,
  options: { readonly json?: boolean; readonly grade?: Grade },
): Promise<void> {
  const secret = parseSecret(await secretText(io, file))
  if (options.grade !== undefined) return printOne(io, secret, options.grade, options.json === true)
  const grades = gradesOf(secret)
  io.out(
    options.json === true
      ? formatJson({ grade: secret.grade, ...grades })
      : formatTable(Object.entries(grades)),
  )
}

/** Prints the relay pass of the secret's share. Throws SECRET_INVALID, CONFIG_UNREADABLE. */
export async function secretRelayPass(
  io: CliIo,
  file: string | undefined,
  options: { readonly json?: boolean },
): Promise<void> {
  const pass = formatRelayPass(keysOf(parseSecret(await secretText(io, file))).relay.pass)
  io.out(options.json === true ? formatJson({ relayPass: pass }) : `${pass}\n`)
}

function printOne(io: CliIo, secret: Secret, grade: Grade, json: boolean): void {
  const text = formatSecret(deriveSecret(secret, grade))
  io.out(json ? formatJson({ [grade]: text }) : `${text}\n`)
}

/** The text of the secret's own grade and of each below, strongest first. */
export function gradesOf(secret: Secret): Partial<Record<Grade, string>> {
  const below = GRADES.slice(GRADES.indexOf(secret.grade))
  return Object.fromEntries(below.map((grade) => [grade, formatSecret(deriveSecret(secret, grade))]))
}

async function secretText(io: CliIo, file: string | undefined): Promise<string> {
  if (file === undefined || file === '-') {
    if ('isTTY' in io.stdin && io.stdin.isTTY === true)
      io.err('type or paste a secret, then Enter and Ctrl-D\n')
    return (await readInput(io)).trim()
  }
  if (redactSecrets(file) !== file)
    throw new ShoalError(
      'USAGE',
      'a secret does not belong on the command line, where other users can see it: give it on standard input or in a file',
    )
  return readSecretText(file)
}
