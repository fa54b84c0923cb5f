// Functions of the system's own libraries that Node has no call for, through koffi. Promises: koffi and the library are loaded when one
// is first asked for, as most processes need few of them; whoever asks is told where it cannot be had, and has another way.
import { createRequire } from 'node:module'

/**
 * A function of libc, by its C declaration; the numbers that it takes are Linux's. It comes as a function that looks for it once, when it
 * is first called, and gives undefined where this machine's libc (musl, an old glibc), processor (no build of koffi) or system (not
 * Linux) is not served.
 */
export function fromLibc<Call>(declaration: string): () => Call | undefined {
  let found: { readonly call: Call | undefined } | undefined
  return () => {
    found ??= { call: process.platform === 'linux' ? look<Call>(declaration) : undefined }
    return found.call
  }
}

/** Of the last of these functions that was called on this thread and failed; to be asked at once. */
export function libcErrno(): number {
  return (loaded ?? koffi()).errno()
}

/** A function of a library, null for what the process has loaded anyway; throws where there is no such one, or no koffi. */
export function fromLibrary<Call>(library: string | null, declaration: string): Call {
  loaded = koffi()
  return loaded.load(library).func(declaration) as unknown as Call
}

/** To look for a module again would take longer than what failed, and would fail itself on its way, before the error is asked for. */
let loaded: typeof import('koffi') | undefined

function look<Call>(declaration: string): Call | undefined {
  try {
    return fromLibrary<Call>(null, declaration)
  } catch {
    // Not to be had, and why is no matter to who has another way.
    return undefined
  }
}

function koffi(): typeof import('koffi') {
  return createRequire(import.meta.url)('koffi') as typeof import('koffi')
}
