// The text of a secret that stands in a file of its own. Apart from what reads configurations, which most commands that are
// given such a file have no use for.
import { ShoalError } from '../core/error.js'
import { openText, reason } from './open.js'

/** A secret has at most 117 characters; the rest is room for line ends. */
export const MAX_SECRET_FILE_BYTES: number = 4096

/** The text of a file that holds a secret, without the space around it. Throws CONFIG_UNREADABLE. */
export async function readSecretText(file: string): Promise<string> {
  const { text } = await openText(file, MAX_SECRET_FILE_BYTES).catch((cause: unknown) => {
    throw new ShoalError('CONFIG_UNREADABLE', `cannot read the secret in ${file}: ${reason(cause)}`, {
      cause,
    })
  })
  return text.trim()
}
