// How a secret comes in: typed without echo, from a file, or on standard input; never as an argument, which other users
// can see and shells keep. What is typed may also be an invite, which is redeemed for the secret (redeem.ts).
import { readSecretText } from '../config/secret-file.js'
import { ShoalError } from '../core/error.js'
import { redactSecrets } from '../core/secret-redact.js'
import { askHidden } from './ask-hidden.js'
import type { CliIo } from './io.js'

/** More than any secret; standard input is not read further. */
const MAX_INPUT_BYTES = 4096

/** Throws USAGE if one of the texts of a command line looks like a secret; the message holds none of it. */
export function refuseSecretArguments(texts: readonly (string | undefined)[]): void {
  if (!texts.some((text) => text !== undefined && redactSecrets(text) !== text)) return
  throw new ShoalError(
    'USAGE',
    'a secret does not belong on the command line: other users can see it there, and the shell keeps it in its history. ' +
      'Take it for known to others: delete it from the history, and if anybody could have seen it, make a new share ' +
      'with a new secret. Then run the command without it, and it asks for the secret, or give it with --secret-file',
  )
}

/**
 * The text of a secret: from `file` ("-": standard input), else from standard input if that is no terminal, else asked
 * for. Undefined if Ctrl-C was the answer. Throws USAGE, SECRET_INVALID, CONFIG_UNREADABLE.
 */
export async function secretInput(
  io: CliIo,
  file: string | undefined,
  prompt: string,
): Promise<string | undefined> {
  if (file !== undefined && file !== '-') return readSecretText(file)
  const isTerminal = 'isTTY' in io.stdin && io.stdin.isTTY === true
  if (file === '-' || !isTerminal) return (await readInput(io)).trim()
  const answer = await askHidden(prompt)
  if (answer.type === 'nothing') throw new ShoalError('USAGE', 'no secret was typed')
  return answer.type === 'text' ? answer.text : undefined
}

/** All of standard input, up to what a secret can be. */
export async function readInput({ stdin }: CliIo): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    chunks.push(Buffer.from(chunk))
    length += chunk.length
    if (length > MAX_INPUT_BYTES)
      throw new ShoalError('SECRET_INVALID', `this is not a secret: more than ${MAX_INPUT_BYTES} bytes`)
  }
  return Buffer.concat(chunks).toString('utf8')
}
