// A real terminal for tests: a tmux of its own, of a given size, in which one command runs. Promises: nothing of a tmux that
// runs already is used or touched (a socket and a configuration of its own); close() ends it and what ran in it.
import { execFile, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { eventually } from './daemons.js'

const run = promisify(execFile)

/** Why there is no tmux to test with; undefined: there is. */
export const NO_TMUX: string | undefined =
  spawnSync('tmux', ['-V']).status === 0 ? undefined : 'tmux is not installed'

export interface TerminalOptions {
  readonly columns: number
  readonly rows: number
  /** Program and arguments. */
  readonly command: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
}

export class Terminal {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  static async open({ columns, rows, command, environment = {} }: TerminalOptions): Promise<Terminal> {
    const terminal = new Terminal(fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-tmux-')))
    const settings = [
      'set -g default-terminal tmux-256color',
      'set -g status off',
      // What is on the screen when the command has ended is looked at, too.
      'set -g remain-on-exit on',
      'set -sg escape-time 10',
    ]
    fs.writeFileSync(terminal.#settings, `${settings.join('\n')}\n`)
    // Ink draws nothing where it believes that nobody looks.
    const words = [
      'env',
      '-u',
      'CI',
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
    ]
    const quoted = [...words, ...command].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
    // tmux itself does not always come to know it: a pane whose terminal closes first may stay without a status.
    const noting = `${quoted}; echo $? > '${terminal.#exitFile}'`
    await terminal.#tmux('new-session', '-d', '-x', String(columns), '-y', String(rows), noting)
    return terminal
  }

  /** Keys by tmux's names: "Up", "Enter", "a", "C-c". */
  async press(...keys: readonly string[]): Promise<void> {
    await this.#tmux('send-keys', ...keys)
  }

  async type(text: string): Promise<void> {
    await this.#tmux('send-keys', '-l', text)
  }

  async resize(columns: number, rows: number): Promise<void> {
    await this.#tmux('resize-window', '-x', String(columns), '-y', String(rows))
  }

  /** The lines on the screen, without colours. */
  async lines(): Promise<string[]> {
    const { stdout } = await this.#tmux('capture-pane', '-p')
    return stdout.replace(/\n$/, '').split('\n')
  }

  /** The screen with colours, as escape sequences. */
  async coloured(): Promise<string> {
    return (await this.#tmux('capture-pane', '-p', '-e', '-N')).stdout
  }

  /** Waits until the screen shows something; its lines then. */
  async shows(pattern: RegExp, timeoutMs?: number): Promise<string[]> {
    let last: string[] = []
    try {
      return await eventually(
        `the screen shows ${pattern}`,
        async () => {
          last = await this.lines()
          return pattern.test(last.join('\n')) ? last : undefined
        },
        timeoutMs,
      )
    } catch (cause) {
      throw new Error(`${(cause as Error).message}; it shows\n${last.join('\n')}`, { cause })
    }
  }

  /** Exit code of the command; undefined: it runs. */
  async exit(): Promise<number | undefined> {
    const noted = fs.existsSync(this.#exitFile) ? fs.readFileSync(this.#exitFile, 'utf8') : ''
    return noted.endsWith('\n') ? Number(noted) : undefined
  }

  /** Process id of the command. */
  async pid(): Promise<number> {
    const shell = Number((await this.#tmux('display-message', '-p', '#{pane_pid}')).stdout)
    return Number(fs.readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim())
  }

  async close(): Promise<void> {
    await this.#tmux('kill-server').catch(() => undefined)
    fs.rmSync(this.#folder, { recursive: true, force: true })
  }

  get #exitFile(): string {
    return path.join(this.#folder, 'exit')
  }

  get #settings(): string {
    return path.join(this.#folder, 'tmux.conf')
  }

  #tmux(...words: readonly string[]): Promise<{ stdout: string }> {
    const { TMUX: _outer, ...env } = process.env
    const place = ['-S', path.join(this.#folder, 'socket'), '-f', this.#settings]
    return run('tmux', ['-u', ...place, ...words], { env: { ...env, LC_ALL: 'C.UTF-8' } })
  }
}
