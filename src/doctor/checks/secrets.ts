// Files that hold secrets. Whether others can use them is settled while the configuration is read, and stands in its
// errors; what is well is said here. Pure.
import type { FileFacts } from '../../config/open.js'
import { type Finding, ok } from '../finding.js'

export interface SecretFacts {
  readonly files: readonly Pick<FileFacts, 'path' | 'mode' | 'uid'>[]
}

export function checkSecrets({ files }: SecretFacts): Finding[] {
  return files.map(({ path, mode }) =>
    ok(
      'secrets',
      `${path} holds a secret and is its user's alone (mode ${mode.toString(8).padStart(4, '0')})`,
    ),
  )
}
