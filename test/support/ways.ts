// Ways to open and look at files in directories that are open, for tests that force one or the other (ports/calls-at.ts).
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { basename } from 'node:path'
import { mock } from 'node:test'
import { type CallsAt, callsAt } from '../../src/ports/calls-at.js'

/** As on a machine that has no such calls: node:fs does everything. */
export const NODE_ALONE: CallsAt = {
  lstat: () => undefined,
  fstat: () => undefined,
  open: () => undefined,
  read: () => undefined,
  close: () => {
    throw new Error('it has opened nothing')
  },
}

/** Each call answers every second time: what is opened by one is read and looked at by both. */
export function eachByTurns(real: CallsAt): CallsAt {
  const counts = { lstat: 0, fstat: 0, open: 0, read: 0 }
  return {
    lstat: (...args) => (counts.lstat++ % 2 === 0 ? real.lstat(...args) : undefined),
    fstat: (...args) => (counts.fstat++ % 2 === 0 ? real.fstat(...args) : undefined),
    open: (...args) => (counts.open++ % 2 === 0 ? real.open(...args) : undefined),
    read: (...args) => (counts.read++ % 2 === 0 ? real.read(...args) : undefined),
    close: real.close,
  }
}

/** Why this machine has none, for the skip of a test; false: it has. */
export const noCallsAt: string | false = probe() ? false : 'libc is not called here (Linux, 64 bits, koffi)'

function probe(): boolean {
  const fd = fs.openSync(tmpdir(), 'r')
  try {
    return callsAt.fstat(fd) !== undefined
  } finally {
    fs.closeSync(fd)
  }
}

/** What is to happen at each call, whichever way it is made; what it throws is what the call fails with. */
export interface Around {
  /** Before a name is opened. */
  readonly open?: (name: string) => void
  /** After something was read to the front of `target`. */
  readonly read?: (target: Uint8Array) => void
}

/** Calls `body` once for each way that there is here, with calls that node:fs mocked makes where the others fail. */
export function forBothWays(around: Around, body: (calls: CallsAt) => void): void {
  const { openSync, readSync } = fs as unknown as Record<string, (...args: unknown[]) => number>
  const mocks = [
    mock.method(fs, 'openSync', (...args: unknown[]) => {
      around.open?.(basename(String(args[0])))
      return openSync!(...args)
    }),
    mock.method(fs, 'readSync', (...args: unknown[]) => {
      const count = readSync!(...args)
      around.read?.(args[1] as Uint8Array)
      return count
    }),
  ]
  try {
    body(NODE_ALONE)
    if (noCallsAt === false) body(direct(around))
  } finally {
    for (const each of mocks) each.mock.restore()
  }
}

/** Calls at which the same happens; one that is to fail is left to node. */
function direct({ open, read }: Around): CallsAt {
  return {
    ...callsAt,
    open: (directory, name, flags) =>
      orUndefined(() => {
        open?.(name)
        return callsAt.open(directory, name, flags)
      }),
    read: (fd, target, position) =>
      orUndefined(() => {
        const count = callsAt.read(fd, target, position)
        if (count !== undefined) read?.(target)
        return count
      }),
  }
}

function orUndefined<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch {
    // What was injected; the mock throws it once more.
    return undefined
  }
}
