// What bin/shoal starts (dist/program/cli/main.js): runs the bundle of main.ts, with what V8 once compiled of it if that is at hand.
// Compiling takes a third of the time of a short command, and a quarter of a daemon's start (docs/decisions/0074-bundle.md).
// Promises: a file of compiled code is used for the very text it was made of, whose digest is in both names, by the very node that made
// it, and if its own digest says that it is whole; V8 itself refuses one of another version or of other flags. Without one, or with one
// that is refused, all is as with it, later.
// Leaves to others: making such a file (scripts/bundle/code-cache.mjs). Nothing is written when the program runs.
import { createHash } from 'node:crypto'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import v8 from 'node:v8'
import vm from 'node:vm'

/** The bundle's name in this folder; put in by scripts/bundle.mjs. */
declare const BUNDLE: string

/** What such a file begins with: of the rest. */
const DIGEST_BYTES = 32

/** Of bin/shoal: no collection of all of a heap that is smaller. */
const LEAST_HEAP = '--initial-old-space-size'

// For the heap of this thread, which is there already. The other threads', one each for a few megabytes, would all grow to that size.
// First of all, as what was compiled under other flags is refused.
if (process.execArgv.some((flag) => flag.startsWith(LEAST_HEAP))) v8.setFlagsFromString(`${LEAST_HEAP}=0`)

const file = fileURLToPath(new URL(BUNDLE, import.meta.url))

/** Where code that this process compiles belongs. */
export const codeFile: string = codeFileOf(file)

/** The text is one function expression, of what a CommonJS module is given, and of what stands for import(). */
export const script: vm.Script = new vm.Script(fs.readFileSync(file, 'latin1'), {
  filename: file,
  cachedData: compiled(codeFile),
})

const run = script.runInThisContext() as (
  require: NodeJS.Require,
  importModule: (name: string) => Promise<unknown>,
  filename: string,
  directory: string,
) => void
run(createRequire(file), (name) => import(name), file, path.dirname(file))

function codeFileOf(bundle: string): string {
  // A node of the same version may be built in another way: it is told by its length. It may be replaced just now, or not be seen.
  const size = fs.statSync(process.execPath, { throwIfNoEntry: false })?.size ?? 0
  const flags = process.execArgv.join('').replace(/[^a-z0-9]+/g, '')
  return `${bundle}.${process.version}-${process.arch}-${size}-${flags.slice(0, 120)}.code`
}

/** Undefined: there is none for this node and these flags, or it is not what was written. V8 would run what a bad disk makes of it. */
function compiled(name: string): Buffer | undefined {
  let kept: Buffer
  try {
    kept = fs.readFileSync(name)
  } catch {
    return undefined
  }
  const code = kept.subarray(DIGEST_BYTES)
  const isWhole = createHash('sha256').update(code).digest().equals(kept.subarray(0, DIGEST_BYTES))
  return isWhole ? code : undefined
}
