// Runs command lines within the test's own process and keeps what they print.
import { Readable } from 'node:stream'
import { runCli } from '../../src/cli/program.js'

export interface Transcript {
  readonly exit: number
  readonly out: string
  readonly err: string
}

/** Runs `shoal ...argv` with the given standard input and environment. */
export async function shoal(
  argv: readonly string[],
  { stdin = '', env = {} }: { stdin?: string; env?: Record<string, string> } = {},
): Promise<Transcript> {
  let out = ''
  let err = ''
  const exit = await runCli(argv, {
    out: (text) => {
      out += text
    },
    err: (text) => {
      err += text
    },
    stdin: Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
    env,
  })
  return { exit, out, err }
}
