// A chart of several lines: the newest values as columns of blocks, the newest at the right.
const LEVELS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const STEPS = LEVELS.length - 1

/** Exactly so many lines of so many columns, the topmost first. Any value above zero shows at least the lowest block. */
export function chart(values: readonly number[], width: number, height: number): string[] {
  const shown = values.slice(-width)
  const top = Math.max(0, ...shown)
  const heights = shown.map((value) => {
    if (!(value > 0)) return 0
    return Math.max(1, Math.round((value / top) * height * STEPS))
  })
  return Array.from({ length: height }, (_, line) => {
    const below = (height - 1 - line) * STEPS
    const blocks = heights.map((each) => LEVELS[Math.min(STEPS, Math.max(0, each - below))]!)
    return blocks.join('').padStart(width)
  })
}
