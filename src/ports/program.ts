// Where the program's own files lie: the only module that says so, as the program comes in two shapes. dist/src is one file for each
// module; of dist/program, which bin/shoal starts, each file is whole with all it needs (scripts/bundle.mjs). A file that is started by
// itself lies in both at the same place below their root, one folder down, and this module is one folder down wherever it is part of.
import { fileURLToPath } from 'node:url'

/** What is started as a file: as a process or a thread. scripts/bundle.mjs makes these. */
export type ProgramFile =
  | 'cli/main.js'
  | 'folder/worker.js'
  | 'folder/watch-worker.js'
  | 'nat/map-worker.js'
  | 'store/lmdb-probe.js'

const ROOT = new URL('..', import.meta.url)

/** The folder of this shape of the program, which whoever runs it must be able to read. */
export const PROGRAM_FOLDER: string = fileURLToPath(ROOT)

/** bin/shoal, which gives node the settings that only hold from its first moment. */
export const LAUNCHER: string = fileURLToPath(new URL('../../bin/shoal', ROOT))

/** A file URL. */
export function programFile(name: ProgramFile): URL {
  return new URL(name, ROOT)
}
