// Where tests find the repository's own files, whichever output folder they were compiled into.
import { existsSync, readFileSync } from 'node:fs'

/** The repository's root, a directory URL that ends with a slash. */
export const repository: URL = findRoot(new URL('.', import.meta.url))

/** The parsed JSON of a file under test/fixtures. */
export function readFixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`test/fixtures/${name}`, repository), 'utf8'))
}

function findRoot(directory: URL): URL {
  if (existsSync(new URL('package.json', directory))) return directory
  const parent = new URL('..', directory)
  if (parent.href === directory.href) throw new Error('no package.json above the tests')
  return findRoot(parent)
}
