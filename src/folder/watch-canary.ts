// Proof that file events arrive: a file made in `.shoal/canary` must come back as an event through the same queue as
// all others. Since the queue keeps its order, its return also proves that everything queued before it was delivered,
// which is what flush() rests on. Used only inside the watch thread.
import fs from 'node:fs'

export interface CanaryOptions {
  /** `.shoal`; made by whoever sets the share up, never here (its absence halts a share, A5). */
  readonly ownDirectory: string
  /** Milliseconds between canaries of its own accord; 0 for none. */
  readonly intervalMs: number
  /** Milliseconds until one counts as lost. */
  readonly timeoutMs: number
  /** One event was read from the queue. */
  readonly counted: () => void
  /** A canary did not come back. */
  readonly lost: () => void
  /** Canaries cannot be sent; said once until they can again. */
  readonly unusable: (detail: string) => void
}

interface Flight {
  readonly timer: NodeJS.Timeout
  readonly landed: (certain: boolean) => void
}

/** Intervals between canaries while nothing happens: each writes to the disk, which an idle machine may let sleep. */
const IDLE_INTERVALS = 12

export class Canary {
  readonly #options: CanaryOptions
  readonly #flights = new Map<string, Flight>()
  #watcher: fs.FSWatcher | undefined
  #fd: number | undefined
  #next = 1
  #stirred = true
  #idle = 0
  #said = false

  constructor(options: CanaryOptions) {
    this.#options = options
    if (options.intervalMs > 0) setInterval(() => this.#due(), options.intervalMs).unref()
  }

  /** Something else happened since the last canary. */
  stir(): void {
    this.#stirred = true
  }

  /** Makes sure that canaries can be sent; returns whether. Cheap when they can. */
  prepare(): boolean {
    if (this.#watcher !== undefined) return true
    try {
      this.#fd = openCanaryDirectory(this.#options.ownDirectory)
      for (const name of fs.readdirSync(this.#place())) fs.unlinkSync(this.#place(name))
      this.#watcher = fs.watch(this.#place())
      this.#watcher.on('change', (_type, name) => this.#heard(String(name)))
      this.#watcher.on('error', (error) => this.#broken(error))
      this.#said = false
      return true
    } catch (thrown) {
      this.#broken(thrown)
      return false
    }
  }

  /** Sends one; `landed` is called once, with false if it could not be sent or was lost. */
  sing(landed: (certain: boolean) => void): void {
    const name = String(this.#next++)
    // Twice, because someone may have removed the directory that was open until now.
    if (!this.#send(name) && !this.#send(name)) {
      landed(false)
      return
    }
    const timer = setTimeout(() => {
      // A thread that was not scheduled for long runs its timers before it reads events: let it read first.
      setImmediate(() => setImmediate(() => this.#land(name, false)))
    }, this.#options.timeoutMs)
    this.#flights.set(name, { timer, landed })
  }

  #send(name: string): boolean {
    const wasOpen = this.#fd !== undefined
    if (!this.prepare()) return false
    try {
      fs.closeSync(fs.openSync(this.#place(name), 'wx', 0o600))
      return true
    } catch (thrown) {
      if (wasOpen) this.#reset()
      else this.#broken(thrown)
      return false
    }
  }

  #due(): void {
    if (!this.#stirred && ++this.#idle < IDLE_INTERVALS) return
    this.#idle = 0
    this.#stirred = false
    this.sing(() => undefined)
  }

  #heard(name: string): void {
    this.#options.counted()
    this.#land(name, true)
  }

  #land(name: string, certain: boolean): void {
    const flight = this.#flights.get(name)
    if (flight === undefined) return
    this.#flights.delete(name)
    clearTimeout(flight.timer)
    if (this.#fd !== undefined) fs.rmSync(this.#place(name), { force: true })
    if (!certain) {
      // The next one starts from a new watch: this one may look at a directory that was replaced.
      this.#reset()
      this.#options.lost()
    }
    flight.landed(certain)
  }

  /** A name in the canary's directory, reached through its descriptor. */
  #place(name = ''): string {
    return `/proc/self/fd/${this.#fd}/${name}`
  }

  #reset(): void {
    this.#watcher?.close()
    this.#watcher = undefined
    if (this.#fd !== undefined) fs.closeSync(this.#fd)
    this.#fd = undefined
  }

  #broken(thrown: unknown): void {
    this.#reset()
    if (this.#said) return
    this.#said = true
    this.#options.unusable(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** Opens `.shoal/canary`, made if need be, without passing a symlink (A1). The caller closes it. */
function openCanaryDirectory(ownDirectory: string): number {
  const flags = fs.constants.O_RDONLY | fs.constants.O_DIRECTORY | fs.constants.O_NOFOLLOW
  const own = fs.openSync(ownDirectory, flags)
  try {
    const place = `/proc/self/fd/${own}/canary`
    if (fs.lstatSync(place, { throwIfNoEntry: false }) === undefined) fs.mkdirSync(place, { mode: 0o700 })
    return fs.openSync(place, flags)
  } finally {
    fs.closeSync(own)
  }
}
