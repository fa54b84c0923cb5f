// Failures that say nothing of the path they happened at: the process or the machine has no more of something to give for
// the moment. Nothing may be concluded from one, and the same call may succeed a second later.

/** EMFILE: open files of this process; ENFILE: of the machine; ENOMEM: memory of the kernel; */
const SHORTAGES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM'])

/** What to do about too few open files. */
export const MORE_DESCRIPTORS = 'raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit'

const WORDS: Readonly<Record<string, string>> = {
  EMFILE: `this process has as many open files as it may; ${MORE_DESCRIPTORS}`,
  ENFILE: 'the machine has as many open files as it may; raise it: sysctl fs.file-max',
  ENOMEM: 'the machine has no memory left for this',
  EAGAIN: 'the machine has no thread left to give',
}

/** Whether an error's code tells of a shortage. */
export function isShortage(code: unknown): boolean {
  return typeof code === 'string' && SHORTAGES.has(code)
}

/** What a shortage is and what to do about it, a sentence. */
export function shortageWords(code: string): string {
  return WORDS[code] ?? code
}

/** The code of a shortage that a failure is, or that lies behind it; of one from another thread only the text is left. */
export function shortageOf(thrown: unknown): string | undefined {
  for (let each = thrown, depth = 0; each instanceof Error && depth < 5; each = each.cause, depth++) {
    if ('code' in each && isShortage(each.code)) return each.code as string
    const named = /\b(EMFILE|ENFILE|ENOMEM): /.exec(each.message)?.[1]
    if (named !== undefined) return named
  }
  return undefined
}
