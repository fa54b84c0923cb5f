// The call that tells secrets: on the socket only, one share at a time, and never as a part of another answer.
import type { Routes } from './route.js'
import { type SecretsReport, type SecretsRequest, secretsReport, secretsRequest } from './schema-shares.js'

export interface SecretCalls {
  /** The secrets of a share that this node may give. NOT_FOUND: no such share. */
  secrets(request: SecretsRequest): Promise<SecretsReport>
}

export const SECRET_ROUTES: Routes<SecretCalls> = {
  secrets: {
    // No GET: what is asked for by reading alone ends up in histories and caches.
    ...{ method: 'POST', path: '/v1/secrets', tag: 'secrets', input: secretsRequest, answer: secretsReport },
    summary: 'the secrets of one share: its own grade and those that follow from it',
    takes: '{"share": place in the configuration}',
    access: 'socket',
  },
}
