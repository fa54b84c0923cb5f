// What is shown now: joins the world, what a person has set and the size of the terminal to a frame, at most ten times a
// second, and tells whoever draws it only if it has become another one.

import { bodySize, frameOf, type Size } from './model/frame.js'
import { type Effect, type Key, press } from './model/keys.js'
import { shownList } from './model/list.js'
import { isSameFrame, type Line } from './model/span.js'
import { FIRST_UI, type Ui } from './model/ui.js'
import type { ShareItem, World } from './model/world.js'
import { bucketsFor } from './screens/map.js'
import type { Interest } from './source.js'
import type { FrameStore } from './view/app.js'

/** Between two frames without a key being pressed. */
const FRAME_MS = 100

export interface StoreOptions {
  readonly world: () => World
  readonly size: () => Size
  readonly onEffect: (effect: Effect) => void
  readonly onInterest: (interest: Interest) => void
}

export class DashboardStore implements FrameStore {
  readonly #options: StoreOptions
  #ui: Ui = FIRST_UI
  #frame: readonly Line[]
  #listener: (() => void) | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: StoreOptions) {
    this.#options = options
    this.#frame = this.#make()
  }

  readonly frame = (): readonly Line[] => this.#frame

  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listener = changed
    return () => {
      this.#listener = undefined
    }
  }

  readonly press = (key: Key): void => {
    // What came at once may be several keys; a text that was pasted is the same letter by letter.
    const keys = key.name === 'text' ? [...key.text].map(keyOfLetter) : [key]
    for (const each of keys) {
      const { ui, effect } = press(this.#ui, each, this.#options.world(), this.#options.size())
      this.#ui = ui
      if (effect !== undefined) this.#options.onEffect(effect)
    }
    this.#options.onInterest(this.interest())
    this.redraw()
  }

  /** Something may be to be drawn: soon. */
  changed(): void {
    this.#timer ??= setTimeout(() => this.redraw(), FRAME_MS)
  }

  redraw(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const frame = this.#make()
    if (isSameFrame(frame, this.#frame)) return
    this.#frame = frame
    this.#listener?.()
  }

  notify(text: string, tone: 'good' | 'bad' | 'accent', forMs = 6000): void {
    this.#ui = { ...this.#ui, notice: { text, tone, untilMs: this.#options.world().nowMs + forMs } }
    this.redraw()
  }

  interest(): Interest {
    const { screen } = this.#ui
    return {
      conflicts: screen === 'conflicts',
      drift: screen === 'drift',
      map: screen === 'map' ? this.#mapInterest() : undefined,
    }
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#listener = undefined
  }

  #mapInterest(): Interest['map'] {
    const { items, chosen } = shownList(this.#options.world(), this.#ui)
    const item = items[chosen] as ShareItem | undefined
    const { columns, rows } = bodySize(this.#options.size())
    return item && { daemon: item.daemon.key, share: item.place, width: bucketsFor(columns - 2, rows) }
  }

  #make(): Line[] {
    return frameOf(this.#options.world(), this.#ui, this.#options.size())
  }
}

/** Of what came at once ink does not say which were keys of their own. */
function keyOfLetter(text: string): Key {
  if (text === '\r' || text === '\n') return { name: 'enter' }
  return text === '\u007f' || text === '\b' ? { name: 'backspace' } : { name: 'text', text }
}
