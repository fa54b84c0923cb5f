// Why a connection could not be made or has ended, in words for people: what the kernel and the name server say are codes.

/** Of a system error's code; what is not in here is shown as it came. */
export const FAILURE_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ECONNRESET: 'the other end cut the connection',
  EPIPE: 'the other end cut the connection',
  EHOSTUNREACH: 'there is no way there',
  ENETUNREACH: 'there is no way there',
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'names cannot be looked up now',
  TIMEOUT: 'no answer',
  ETIMEDOUT: 'no answer',
  EACCES: 'this machine does not let it out',
  EPERM: 'this machine does not let it out',
}

/** With the code, for whoever looks it up. */
export function codeWords(code: string): string {
  return Object.hasOwn(FAILURE_WORDS, code) ? `${FAILURE_WORDS[code]} (${code})` : code
}

/** In words, with the code for whoever looks it up; an error that has no code has a message for people. */
export function failureWords(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown)
  const { code } = thrown as NodeJS.ErrnoException
  if (code !== undefined && Object.hasOwn(FAILURE_WORDS, code)) return codeWords(code)
  return thrown.message === 'timed out' ? 'no answer' : thrown.message
}
