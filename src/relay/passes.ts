// The file of passes that a relay serves: one a line, "#" begins a comment. Read at start and again on SIGHUP; a file with
// anything wrong is not used at all, so that a slip of the pen neither lets anybody in nor throws anybody out.
import { readFile } from 'node:fs/promises'
import { ShoalError } from '../core/error.js'
import { parseRelayPass } from '../core/relay-pass.js'

/** 10,000 passes with a comment each fit. */
const MAX_FILE_BYTES = 4 * 2 ** 20

/** The passes of a file's text, in hex. @throws ShoalError CONFIG_INVALID with every fault, as FILE:LINE:COLUMN */
export function parsePasses(text: string, fileName: string): ReadonlySet<string> {
  const passes = new Set<string>()
  const faults: string[] = []
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const words = line.replace(/#.*$/s, '')
    const pass = words.trim()
    if (pass === '') continue
    try {
      passes.add(parseRelayPass(pass).toString('hex'))
    } catch (thrown) {
      if (!(thrown instanceof ShoalError)) throw thrown
      faults.push(`${fileName}:${at + 1}:${words.indexOf(pass) + 1}: ${thrown.message}`)
    }
  }
  if (faults.length > 0) throw new ShoalError('CONFIG_INVALID', faults.join('\n'))
  return passes
}

/** @throws ShoalError CONFIG_UNREADABLE, CONFIG_INVALID */
export async function readPasses(fileName: string): Promise<ReadonlySet<string>> {
  let bytes: Buffer
  try {
    bytes = await readFile(fileName)
  } catch (cause) {
    throw new ShoalError(
      'CONFIG_UNREADABLE',
      `cannot read the relay passes in ${fileName}: ${whyUnread(cause)}`,
      { cause },
    )
  }
  if (bytes.length > MAX_FILE_BYTES)
    throw new ShoalError(
      'CONFIG_INVALID',
      `${fileName}: has ${bytes.length} bytes, expected at most ${MAX_FILE_BYTES}: this is no list of passes`,
    )
  return parsePasses(bytes.toString('utf8'), fileName)
}

function whyUnread(cause: unknown): string {
  const { code, message } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT') return 'no such file'
  if (code === 'EACCES') return 'permission denied'
  return code === 'EISDIR' ? 'it is a folder' : message
}
