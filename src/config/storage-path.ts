// Where the storage of a configuration lies, also of one that is not good: the daemon that was started with it before runs
// on, and whoever looks for what is wrong asks it.
import { dirname, resolve } from 'node:path'
import { ShoalError } from '../core/error.js'
import { openConfig } from './source.js'

/** "storage_path" at the beginning of a line or after a brace or comma, so not in a comment that follows "//". */
const STORAGE_PATH = /(?:^|[{,])[ \t]*"storage_path"\s*:\s*("(?:[^"\\\n]|\\.)*")/m

/** Undefined where the file cannot be read or does not say. */
export async function storagePathIn(configFile: string): Promise<string | undefined> {
  try {
    const { text, fileName } = await openConfig(configFile)
    const quoted = STORAGE_PATH.exec(text)?.[1]
    return quoted === undefined
      ? undefined
      : resolve(dirname(resolve(fileName)), JSON.parse(quoted) as string)
  } catch (thrown) {
    // What is wrong with the file is told by whoever has read it whole.
    if (thrown instanceof ShoalError || thrown instanceof SyntaxError) return undefined
    throw thrown
  }
}
