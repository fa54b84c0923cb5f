// Whether a hook's program can be run, for who only looks (shoal check).
import { access, constants, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { searchPath } from './environment.js'

/** Why a program cannot be run from here, or undefined if it can. `program`: a name, or an absolute path. */
export async function programFault(
  program: string,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  if (program.includes('/')) return faultAt(program)
  const path = searchPath(environment)
  for (const place of path.split(':'))
    if ((await faultAt(join(place, program))) === undefined) return undefined
  return `is not found in ${path}`
}

async function faultAt(file: string): Promise<string | undefined> {
  try {
    await access(file, constants.X_OK)
    return (await stat(file)).isFile() ? undefined : 'is no file'
  } catch (thrown) {
    const { code } = thrown as NodeJS.ErrnoException
    return code === 'ENOENT' ? 'is not there' : `cannot be run (${code ?? 'UNKNOWN'})`
  }
}
