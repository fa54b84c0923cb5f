// Ways to open directories below another one, for tests that force one or the other (ports/openat2.ts).
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { type Beneath, beneath } from '../../src/ports/openat2.js'

/** As on a machine that has no such call: everything is opened part by part. */
export const NEVER: Beneath = {
  open: () => undefined,
  close: () => {
    throw new Error('it has opened nothing')
  },
}

/** Every second one is not to be had: descriptors of both kinds lie side by side. */
export function byTurns(real: Beneath): Beneath {
  let count = 0
  return { open: (from, path) => (count++ % 2 === 0 ? real.open(from, path) : undefined), close: real.close }
}

/** Why this machine has none, for the skip of a test; false: it has. */
export const noOpenat2: string | false = probe() ? false : 'there is no openat2 here (Linux 5.6, koffi)'

function probe(): boolean {
  const directory = fs.mkdtempSync(`${tmpdir()}/shoal-openat2-`)
  const above = fs.openSync(tmpdir(), 'r')
  try {
    const fd = beneath.open(above, directory.slice(tmpdir().length + 1))
    if (fd !== undefined) beneath.close(fd)
    return fd !== undefined
  } finally {
    fs.closeSync(above)
    fs.rmdirSync(directory)
  }
}
