// Small files that must be whole and safe after a crash or a power cut: written beside, synced, renamed over, the folder
// synced.
import fs from 'node:fs'
import path from 'node:path'

/** Replaces a file, a link itself and not what it leads to. Throws what the file system says. */
export function writeDurably(file: string, text: string, mode = 0o600): void {
  const temporary = `${file}.new`
  // Left by a crash, or a link that somebody has put there: never written through.
  fs.rmSync(temporary, { force: true })
  const fd = fs.openSync(temporary, 'wx', mode)
  try {
    // Whatever the umask says.
    fs.fchmodSync(fd, mode)
    // Not writeSync: on a disk that is nearly full, that may write less than all and say so only in its answer.
    fs.writeFileSync(fd, text)
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
  fs.renameSync(temporary, file)
  const folder = fs.openSync(path.dirname(file), 'r')
  try {
    fs.fsyncSync(folder)
  } finally {
    fs.closeSync(folder)
  }
}

/** The text of a file, or undefined if there is none. */
export function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8')
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw thrown
  }
}
