// What the SDK throws, as errors that say which bucket and what to do. Nothing of the SDK's message is kept but its name
// and code: servers quote requests in their messages, key ids among them.
import { ShoalError } from '../../core/error.js'

/**
 * Said by an S3 server. A 404 alone is none: a proxy says it while the server behind it is away, and what is taken for gone is
 * forgotten.
 */
const MISSING: ReadonlySet<string> = new Set(['NoSuchKey', 'InvalidRange'])
/** What an S3 server, or the SDK before it asks one, says that waiting does not mend, and what does. */
const REFUSALS: Readonly<Record<string, string>> = {
  NoSuchBucket: 'there is no such bucket; make it, or correct the name',
  InvalidBucketName: 'the server takes no such name for a bucket; correct it',
  AccessDenied: 'access is denied; allow these credentials to list, get, put and delete objects there',
  Forbidden: 'access is denied; allow these credentials to list, get, put and delete objects there',
  AllAccessDisabled: 'the account is closed or has not paid; ask who runs the server',
  InvalidAccessKeyId: 'the server does not know the access key; check AWS_ACCESS_KEY_ID',
  SignatureDoesNotMatch: 'the secret key is not the one of the access key; check AWS_SECRET_ACCESS_KEY',
  AuthorizationHeaderMalformed: 'the server is for another region; check AWS_REGION',
  PermanentRedirect: 'the bucket is in another region; check AWS_REGION and AWS_ENDPOINT_URL',
  ExpiredToken: 'the credentials have expired; give new ones in AWS_* variables and restart',
  InvalidToken: 'the session token is wrong; check AWS_SESSION_TOKEN',
  RequestTimeTooSkewed: "this machine's clock is wrong; set it",
  QuotaExceeded: 'the quota there is used up; raise it',
  CredentialsProviderError:
    'there are no credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY for this process',
}

/** `what`: "store 00000001.pack in", "read ... of", "list". */
export function bucketError(thrown: unknown, place: string, what: string): ShoalError {
  if (thrown instanceof ShoalError) return thrown
  const { name, code, status } = factsOf(thrown)
  // A signal of ours; not told to anybody.
  if (name === 'AbortError') return new ShoalError('BUCKET_UNREACHABLE', `cannot ${what} ${place}: stopped`)
  const cause = new Error([name, code, status].filter((part) => part !== undefined).join(' '))
  if (MISSING.has(name))
    return new ShoalError('NOT_FOUND', `cannot ${what} ${place}: it is not there`, { cause })
  const refusal = REFUSALS[name] ?? (status === 401 || status === 403 ? REFUSALS.AccessDenied : undefined)
  if (refusal !== undefined)
    return new ShoalError('BUCKET_REFUSED', `cannot ${what} ${place}: ${refusal}`, { cause })
  const isServerSaying = status !== undefined && status >= 300
  const reason = isServerSaying ? `the server answers ${status} (${word(name)})` : (reach(code) ?? word(name))
  return new ShoalError('BUCKET_UNREACHABLE', `cannot ${what} ${place}: ${reason}`, { cause })
}

function factsOf(thrown: unknown): { name: string; code: string | undefined; status: number | undefined } {
  if (typeof thrown !== 'object' || thrown === null)
    return { name: 'unknown', code: undefined, status: undefined }
  const { name, code, $metadata } = thrown as {
    name?: unknown
    code?: unknown
    $metadata?: { httpStatusCode?: unknown }
  }
  const status = $metadata?.httpStatusCode
  return {
    name: typeof name === 'string' ? name : 'unknown',
    code: typeof code === 'string' ? code : undefined,
    status: typeof status === 'number' ? status : undefined,
  }
}

function reach(code: string | undefined): string | undefined {
  switch (code) {
    case undefined:
      return undefined
    case 'ECONNREFUSED':
      return 'nobody listens there; check AWS_ENDPOINT_URL'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'its name cannot be looked up; check the network and AWS_ENDPOINT_URL'
    default:
      return `the connection failed (${word(code)})`
  }
}

/** A name of the server's or the SDK's, if it is one. */
function word(text: string): string {
  return /^[A-Za-z0-9_.-]{1,60}$/.test(text) ? text : 'unknown'
}
