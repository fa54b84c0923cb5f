// Notices that configuration files have changed, by looking at them every few seconds: that works for editors that write
// another file and rename it, for links, for folders of parts and on every file system, and takes no watch from those that
// the kernel allows. Promises: a change is told once the files have looked the same twice, so not in the middle of a save;
// nothing is read but names and stats; a look that takes long delays the next one.
import { readdir, stat } from 'node:fs/promises'
import path from 'node:path'

const LOOK_MS = 2_000

export interface ConfigWatchOptions {
  /** Files, and folders that count with all that is directly in them; asked for each look. */
  readonly paths: () => readonly string[]
  readonly onChange: () => void
  readonly lookMs?: number
}

export class ConfigWatch {
  readonly #o: ConfigWatchOptions
  #timer: NodeJS.Timeout | undefined
  #isStopped = false
  /** What was told of, or was there at the start. */
  #told: string | undefined
  #last: string | undefined

  constructor(options: ConfigWatchOptions) {
    this.#o = options
  }

  /** Resolves when what is there now is known: a change after that is told. */
  async start(): Promise<void> {
    this.#told = await look(this.#o.paths())
    this.#last = this.#told
    this.#arm()
  }

  /** What is there now was read just now. */
  async seen(): Promise<void> {
    this.#told = await look(this.#o.paths())
    this.#last = this.#told
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  #arm(): void {
    if (this.#isStopped) return
    this.#timer = setTimeout(() => void this.#look(), this.#o.lookMs ?? LOOK_MS)
  }

  async #look(): Promise<void> {
    const now = await look(this.#o.paths())
    const isSteady = now === this.#last
    this.#last = now
    if (isSteady && now !== this.#told && !this.#isStopped) {
      this.#told = now
      this.#o.onChange()
    }
    this.#arm()
  }
}

/** All that tells one state of the files from another; what cannot be looked at is a state too. Never rejects. */
async function look(paths: readonly string[]): Promise<string> {
  const seen = await Promise.all(paths.map(lookAt))
  return seen.join('\n')
}

async function lookAt(file: string): Promise<string> {
  try {
    const found = await stat(file)
    if (!found.isDirectory()) return lineOf(file, found)
    const names = (await readdir(file)).sort()
    const inside = await Promise.all(names.map((name) => lineAt(path.join(file, name))))
    return [file, ...inside].join('\n')
  } catch (thrown) {
    return `${file} ${codeOf(thrown)}`
  }
}

async function lineAt(file: string): Promise<string> {
  try {
    return lineOf(file, await stat(file))
  } catch (thrown) {
    return `${file} ${codeOf(thrown)}`
  }
}

function lineOf(
  file: string,
  { dev, ino, size, mtimeMs, ctimeMs }: Awaited<ReturnType<typeof stat>>,
): string {
  return [file, dev, ino, size, mtimeMs, ctimeMs].join(' ')
}

function codeOf(thrown: unknown): string {
  return (thrown as NodeJS.ErrnoException).code ?? 'UNKNOWN'
}
