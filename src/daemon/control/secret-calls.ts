// The call that tells secrets. What it answers is kept nowhere else and never logged.
import type { SecretCalls } from '../../control/calls-secrets.js'
import type { SecretsReport, SecretsRequest } from '../../control/schema-shares.js'
import { deriveSecret, formatSecret, GRADES } from '../../core/secret.js'
import { anyShareAt, type DaemonView } from './view.js'

export function secretCalls(view: DaemonView): SecretCalls {
  return {
    async secrets({ share: at }: SecretsRequest): Promise<SecretsReport> {
      const { dir, secret } = await anyShareAt(view, at)
      const grades = GRADES.slice(GRADES.indexOf(secret.grade))
      return {
        dir,
        secrets: grades.map((grade) => ({ grade, secret: formatSecret(deriveSecret(secret, grade)) })),
      }
    },
  }
}
