// The shaper's process, seen from the lab: one for all links, started with the first of them. Ends with this process
// whatever happens, as its input ends then.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Shape, ShapeCounts } from './link-model.js'
import type { Answer, Order, TapPlace } from './shaper-process.js'

const PROCESS = fileURLToPath(new URL('./shaper-process.js', import.meta.url))

export class Shaper {
  readonly #child: ChildProcess
  readonly #waiting: { resolve: (answer: Answer) => void; reject: (why: Error) => void }[] = []
  #links = 0

  constructor() {
    this.#child = spawn(process.execPath, [PROCESS], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.#child.stdout! }).on('line', (line) => {
      this.#waiting.shift()?.resolve(JSON.parse(line) as Answer)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#waiting.splice(0)) reject(new Error('the shaper has ended'))
    })
    this.#child.stdin!.on('error', () => {
      // It has ended, and what waits for it was told so above.
    })
  }

  /** Makes both taps and carries between them from now on. @param forth from a to b */
  async open(a: TapPlace, b: TapPlace, forth: Shape, back: Shape, seed: number): Promise<ShapedLink> {
    const link = ++this.#links
    await this.#ask({ type: 'open', link, a, b, forth, back, seed })
    return new ShapedLink(link, (order) => this.#ask(order))
  }

  close(): void {
    this.#child.stdin!.end()
    this.#child.kill('SIGKILL')
  }

  async #ask(order: Order): Promise<Answer> {
    const answer = await new Promise<Answer>((resolve, reject) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null)
        return reject(new Error('the shaper has ended'))
      this.#waiting.push({ resolve, reject })
      this.#child.stdin!.write(`${JSON.stringify(order)}\n`)
    })
    if (answer.type === 'failed') throw new Error(`the shaper: ${answer.why}`)
    return answer
  }
}

/** One link that is shaped; "forth" is from the end that was named first to the other. */
export class ShapedLink {
  readonly #link: number
  readonly #ask: (order: Order) => Promise<Answer>

  constructor(link: number, ask: (order: Order) => Promise<Answer>) {
    this.#link = link
    this.#ask = ask
  }

  /** Changes what is said and leaves the rest. */
  async set(forth: Shape, back: Shape = forth): Promise<void> {
    await this.#ask({ type: 'set', link: this.#link, forth, back })
  }

  /** Nothing passes any more, and neither end is told. */
  cut(): Promise<void> {
    return this.set({ isCut: true })
  }

  heal(): Promise<void> {
    return this.set({ isCut: false })
  }

  async counts(): Promise<{ readonly forth: ShapeCounts; readonly back: ShapeCounts }> {
    const answer = await this.#ask({ type: 'counts', link: this.#link })
    if (answer.type !== 'counts') throw new Error('the shaper answered something else')
    return answer
  }
}
