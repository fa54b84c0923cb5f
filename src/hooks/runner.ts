// Runs a hook's program once: without a shell, in a process group of its own, the changed paths on its standard input.
// Promises: the input is whole even if this process dies the moment after; it ends, at the latest some seconds after its time is up, and with it all of its group; what it leaves behind on
// purpose when it ends by itself is let be. A program that does not read its input, or prints without end, is no failure.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { closeSync, openSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { endGroup, GRACE_MS } from './group.js'
import { HookOutput, type OutputName } from './output.js'

/** Outputs that others still hold open are waited for so long after the program's own end. */
const OUTPUT_MS = 500

export interface RunRequest {
  /** Program and arguments. */
  readonly argv: readonly string[]
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly input: Buffer
  /** A private folder on which there is room for the input. */
  readonly scratch: string
  readonly timeoutMs: number
  readonly graceMs?: number
  readonly onLine: (name: OutputName, line: string) => void
}

export interface RunResult {
  /** 'stopped': ended by stop(). */
  readonly type: 'exited' | 'timeout' | 'stopped' | 'not-started'
  readonly exit: number | null
  readonly signal: string | null
  /** Why it did not start, or null. */
  readonly reason: string | null
  readonly durationMs: number
  /** The end of what it printed. */
  readonly tail: string
  /** Lines printed and not given to onLine. */
  readonly unlogged: number
}

/** A program that runs. */
export interface Run {
  /** Undefined if it did not start. It leads a group of its own. */
  readonly pid: number | undefined
  /** Never rejects. */
  readonly ended: Promise<RunResult>
  /** Ends it after `patienceMs`, unless it has ended by then. */
  stop(patienceMs: number, graceMs: number): void
}

export function startRun(request: RunRequest): Run {
  const { argv, cwd, env, input, scratch, timeoutMs, graceMs = GRACE_MS, onLine } = request
  const startedMs = performance.now()
  const output = new HookOutput(onLine)
  const result = (rest: Omit<RunResult, 'durationMs' | 'tail' | 'unlogged'>): RunResult => ({
    ...rest,
    durationMs: Math.round(performance.now() - startedMs),
    tail: output.tail,
    unlogged: output.unlogged,
  })
  let child: ChildProcess
  let stdin: number
  try {
    stdin = inputFile(scratch, input)
  } catch (thrown) {
    return notStarted(result, `there is no place for its input: ${(thrown as Error).message}`)
  }
  try {
    child = spawn(argv[0]!, argv.slice(1), { cwd, env, detached: true, stdio: [stdin, 'pipe', 'pipe'] })
  } catch (thrown) {
    return notStarted(result, reasonOf(thrown, argv[0]!, cwd))
  } finally {
    closeSync(stdin)
  }
  const { pid } = child
  // Where there was no descriptor left for it, it has no streams.
  if (child.stdout !== null && child.stdout !== undefined) output.take('stdout', child.stdout)
  if (child.stderr !== null && child.stderr !== undefined) output.take('stderr', child.stderr)
  let ending: Promise<void> | undefined
  let type: 'exited' | 'timeout' | 'stopped' = 'exited'
  let hasEnded = false
  const end = (why: 'timeout' | 'stopped', grace: number): void => {
    if (pid === undefined || hasEnded || ending !== undefined) return
    type = why
    ending = endGroup(pid, grace)
  }
  const timers = [setTimeout(() => end('timeout', graceMs), timeoutMs)]
  const ended = new Promise<RunResult>((resolve) => {
    child.once('error', (thrown) => {
      if (pid !== undefined) return
      resolve(
        result({ type: 'not-started', exit: null, signal: null, reason: reasonOf(thrown, argv[0]!, cwd) }),
      )
    })
    child.once('exit', (exit, signal) => {
      hasEnded = true
      const closed = isClosed(child)
      void (ending ?? Promise.resolve())
        .then(() => closed)
        .then(() => resolve(result({ type, exit, signal, reason: null })))
    })
  }).finally(() => {
    for (const timer of timers) clearTimeout(timer)
  })
  return {
    pid,
    ended,
    stop: (patienceMs, grace) => {
      if (pid !== undefined && !hasEnded) timers.push(setTimeout(() => end('stopped', grace), patienceMs))
    },
  }
}

/**
 * A file without a name that holds the input, to be read from its start. Through a pipe, a program whose daemon is killed
 * would take the part that came for the whole.
 */
function inputFile(scratch: string, input: Buffer): number {
  const name = join(scratch, `hook-${randomUUID()}`)
  const file = openSync(name, 'wx+', 0o600)
  try {
    unlinkSync(name)
    // With a position, which leaves the file's own at its start.
    for (let at = 0; at < input.length; ) at += writeSync(file, input, at, input.length - at, at)
    return file
  } catch (thrown) {
    closeSync(file)
    throw thrown
  }
}

function notStarted(
  result: (rest: Omit<RunResult, 'durationMs' | 'tail' | 'unlogged'>) => RunResult,
  reason: string,
): Run {
  const ended = Promise.resolve(result({ type: 'not-started', exit: null, signal: null, reason }))
  return { pid: undefined, ended, stop: () => undefined }
}

/** Resolves when all outputs are read, or have had their time. */
async function isClosed(child: ChildProcess): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, OUTPUT_MS)
  })
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await Promise.race([closed, late])
  clearTimeout(timer)
  child.stdout?.destroy()
  child.stderr?.destroy()
}

function reasonOf(thrown: unknown, program: string, cwd: string): string {
  const { code, message } = thrown as NodeJS.ErrnoException
  // Both are told as one: which of the two is not there?
  if (code === 'ENOENT' && statSync(cwd, { throwIfNoEntry: false }) === undefined)
    return `its directory ${cwd} is not there`
  if (code === 'ENOENT') return `${program} is not found`
  if (code === 'EACCES') return `${program} may not be run`
  return message
}
