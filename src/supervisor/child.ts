// One `shoal run CONFIG` as a child process. Promises: it is told by its process handle, never by a number that somebody
// else may have by now; it is in a session of its own, so that Ctrl-C is the supervisor's to answer.
// The child holds one end of a pipe (file descriptor 3, cli/supervised.ts): it says there when it is ready, and stops when
// the pipe ends, so that no daemon goes on without its supervisor, however that ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { dirname } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { LAUNCHER } from '../ports/program.js'
import { type LineSink, passLines } from './log-lines.js'

/** The environment variable that tells a daemon that it is supervised. */
export const SUPERVISED = 'SHOAL_SUPERVISED'
/** What the supervisor is told of its own service is not for its daemons. */
const OWN_VARIABLES = ['NOTIFY_SOCKET', 'WATCHDOG_USEC', 'WATCHDOG_PID', 'LISTEN_FDS', 'LISTEN_PID']
/** A message is a line of a few bytes. */
const MAX_MESSAGE_CHARS = 4096
const MAX_LAST_LINES = 10
const MAX_LAST_WORDS = 2000

export interface ChildOptions {
  readonly instance: string
  readonly configFile: string
  /** Further arguments of `shoal run`. */
  readonly args: readonly string[]
  readonly sink: LineSink
  readonly onReady: (port: number) => void
  /** All it printed is passed on by then. Called once, unless it could not be started. */
  readonly onExit: (exit: number | null, signal: string | null, lastWords: string) => void
  /** Instead of onExit: there is no process. */
  readonly onFailure: (reason: string) => void
}

export interface Child {
  readonly pid: number | undefined
  /** Nothing happens if it has ended. */
  signal(signal: NodeJS.Signals): void
}

export function startChild(options: ChildOptions): Child {
  const { instance, configFile, args, sink, onReady, onExit, onFailure } = options
  let child: ChildProcess
  try {
    child = spawn(LAUNCHER, ['run', configFile, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      detached: true,
      env: environment(),
    })
  } catch (thrown) {
    setImmediate(() => onFailure(messageOf(thrown)))
    return { pid: undefined, signal: () => {} }
  }
  let texts: string[] = []
  const onText = (line: string): void => {
    if (!/^(?:warning|note|hint): /.test(line)) texts = [...texts.slice(1 - MAX_LAST_LINES), line]
  }
  const printed = Promise.all([
    passLines(child.stdout as Readable, instance, sink),
    passLines(child.stderr as Readable, instance, sink, onText),
  ])
  listen(child.stdio[3] as Duplex, onReady)
  child.once('error', (error) => {
    if (child.pid === undefined) onFailure(error.message)
  })
  child.once('exit', (exit, signal) => {
    // A grandchild may hold the pipes open; its words are passed on, but not waited for.
    const late = new Promise((resolve) => setTimeout(resolve, 1000).unref())
    void Promise.race([printed, late]).then(() => onExit(exit, signal, lastWordsOf(texts)))
  })
  return { pid: child.pid, signal: (signal) => void child.kill(signal) }
}

function environment(): NodeJS.ProcessEnv {
  const env: NodeJS.ProcessEnv = { ...process.env, [SUPERVISED]: '1' }
  for (const name of OWN_VARIABLES) delete env[name]
  // bin/shoal looks for node by name; should the path have none, it is this one.
  env.PATH = [env.PATH, dirname(process.execPath)]
    .filter((part) => part !== undefined && part !== '')
    .join(':')
  return env
}

/** A message is {"ready": port}, in a line. */
function listen(pipe: Duplex, onReady: (port: number) => void): void {
  let text = ''
  pipe.on('error', () => undefined)
  pipe.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-MAX_MESSAGE_CHARS)
    const line = /\{"ready":(\d{1,5})\}\n/.exec(text)
    if (line === null) return
    text = ''
    onReady(Number(line[1]))
  })
}

/** A failure's message may have a line for each thing that is wrong. */
function lastWordsOf(texts: readonly string[]): string {
  const words = texts.join('\n')
  return words.length > MAX_LAST_WORDS ? `${words.slice(0, MAX_LAST_WORDS)}...` : words
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown)
}
