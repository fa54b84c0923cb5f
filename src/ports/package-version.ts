// The version in our package.json, which is found above this module wherever it was compiled to.
import { readFileSync } from 'node:fs'

/** "MAJOR.MINOR.PATCH" */
export const PACKAGE_VERSION: string = readVersion(new URL('.', import.meta.url))

function readVersion(directory: URL): string {
  try {
    const { name, version } = JSON.parse(readFileSync(new URL('package.json', directory), 'utf8')) as {
      name?: string
      version?: string
    }
    if (name === 'shoal' && version !== undefined) return version
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const parent = new URL('..', directory)
  // Bundled into something else, there may be no package.json of ours; a version is not worth failing for.
  return parent.href === directory.href ? '0.0.0' : readVersion(parent)
}
