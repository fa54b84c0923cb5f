// The demo's child processes: each writes its log into a file of its own, all are ended by pid when the demo ends, for
// whatever reason, and one that ends unasked fails the demo.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A daemon has five seconds to stop. */
const STOP_MS = 6000
const LOG_LINES = 15

export class Processes {
  #program
  #folder
  #running = new Map()
  /** Rejects when a process ends that was not asked to. */
  failed
  #fail

  /** `program` is the file of the shoal command, `folder` where logs go. */
  constructor(program, folder) {
    this.#program = program
    this.#folder = folder
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
    this.failed.catch(() => {})
    process.on('exit', () => {
      for (const { child } of this.#running.values()) child.kill('SIGKILL')
    })
  }

  /** Starts `shoal ARGUMENTS` under a name. */
  start(name, args) {
    const log = openSync(join(this.#folder, `${name}.log`), 'a')
    const child = spawn(process.execPath, [this.#program, ...args], { stdio: ['ignore', log, log] })
    closeSync(log)
    const entry = { child, isAsked: false }
    this.#running.set(name, entry)
    child.on('error', (error) => this.#fail(error))
    child.on('exit', (code, signal) => {
      this.#running.delete(name)
      if (!entry.isAsked) this.#fail(new Error(`${name} ended by itself (${signal ?? `exit code ${code}`})`))
    })
  }

  /** Ends one and waits for it; by SIGKILL if it does not hear. Throws if it had to, unless that was asked for. */
  async stop(name, signal = 'SIGTERM') {
    const entry = this.#running.get(name)
    if (entry === undefined) return
    entry.isAsked = true
    const ended = once(entry.child, 'exit')
    entry.child.kill(signal)
    const timer = setTimeout(() => entry.child.kill('SIGKILL'), STOP_MS)
    const [code, by] = await ended
    clearTimeout(timer)
    if (signal === 'SIGTERM' && code !== 0)
      throw new Error(`${name} did not stop as it should (${by ?? code})`)
  }

  /** Ends all of them. */
  async stopAll() {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)))
  }

  /** Runs `shoal ARGUMENTS` to its end; its output. Throws unless the exit code is 0. */
  async run(args) {
    const child = spawn(process.execPath, [this.#program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    let err = ''
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    const [code] = await Promise.race([once(child, 'close'), this.failed]).finally(() => child.kill())
    if (code !== 0)
      throw new Error(`shoal ${args.join(' ')} ended with exit code ${code}\n${out}${err}`.trim())
    return out
  }

  /** The last lines of every log, for whoever has to find out what went wrong. */
  logs(names) {
    return names
      .map((name) => {
        const lines = readFileSync(join(this.#folder, `${name}.log`), 'utf8')
          .trimEnd()
          .split('\n')
        return `--- ${name}\n${lines.slice(-LOG_LINES).join('\n')}`
      })
      .join('\n')
  }
}
