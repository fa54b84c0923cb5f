// What a terminal shows (tmux capture-pane -e) as an SVG picture: text with the colours and styles that escape sequences
// say (SGR), every run of it at its own columns, so that it is aligned in any font. Blocks, of which bars and sparklines
// are made, are drawn as rectangles, since fonts leave gaps between them.

const CELL = { width: 8.4, height: 17 }
const BASELINE = 13
const MARGIN = 10
const PAPER = '#14171c'
const INK = '#d7dae0'
const SIXTEEN = [
  ...['#23272e', '#e06c75', '#98c379', '#e5c07b', '#61afef', '#c678dd', '#56b6c2', '#d7dae0'],
  ...['#7f848e', '#e06c75', '#98c379', '#e5c07b', '#61afef', '#c678dd', '#56b6c2', '#ffffff'],
]
const ESC = String.fromCharCode(27)
/** An SGR sequence and its codes, another escape sequence, or text. */
const PIECES = new RegExp(`${ESC}\\[([\\d;]*)m|${ESC}\\[[^m]*?[A-Za-ln-z]|([^${ESC}]+)`, 'g')
const LOWER = '▁▂▃▄▅▆▇█'
const LEFT = '▏▎▍▌▋▊▉█'

/** `widthOf`: columns of a text. `title`: what is seen, for who cannot see it. */
export function svgOf(title, text, columns, rows, widthOf) {
  const width = columns * CELL.width + 2 * MARGIN
  const height = rows * CELL.height + 2 * MARGIN
  const parts = []
  let style = {}
  for (const [row, line] of text.split('\n').slice(0, rows).entries()) {
    const cells = []
    // A cell for each column; what is wide takes two.
    for (const [whole, codes, shown] of line.matchAll(PIECES)) {
      if (codes !== undefined && whole.endsWith('m')) style = styled(style, codes)
      for (const { segment } of new Intl.Segmenter().segment(shown ?? ''))
        for (let at = 0; at < widthOf(segment); at++) cells.push({ text: at === 0 ? segment : '', style })
    }
    parts.push(...rowParts(cells, row))
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${round(width)}" height="${round(height)}" viewBox="0 0 ${round(width)} ${round(height)}">`,
    `<title>${title}</title>`,
    `<rect width="100%" height="100%" rx="6" fill="${PAPER}"/>`,
    '<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve" shape-rendering="crispEdges">',
    ...parts,
    '</g>',
    '</svg>',
    '',
  ].join('\n')
}

function rowParts(cells, row) {
  const parts = []
  const top = MARGIN + row * CELL.height
  for (let at = 0; at < cells.length; ) {
    const { style } = cells[at]
    let end = at
    while (end < cells.length && cells[end].style === style) end++
    parts.push(...runParts(cells.slice(at, end), at, top, style))
    at = end
  }
  return parts
}

function runParts(cells, start, top, style) {
  const parts = []
  const [ink, paper] = style.inverse
    ? [style.paper ?? PAPER, style.ink ?? INK]
    : [style.ink ?? INK, style.paper]
  const x = (column) => MARGIN + column * CELL.width
  if (paper !== undefined) parts.push(rect(x(start), top, cells.length * CELL.width, CELL.height, paper))
  for (let at = 0; at < cells.length; ) {
    const { text } = cells[at]
    const block = blockOf(text)
    let end = at + 1
    if (block !== undefined) {
      while (end < cells.length && cells[end].text === text && block.width === 1) end++
      const [width, height] = [block.width * CELL.width * (end - at), block.height * CELL.height]
      parts.push(rect(x(start + at), top + CELL.height - height, width, height, ink))
    } else if (text.trim() === '') {
      // A blank draws nothing.
    } else {
      while (
        end < cells.length &&
        blockOf(cells[end].text) === undefined &&
        !(cells[end].text === ' ' && cells[end + 1]?.text === ' ')
      )
        end++
      const shown = cells
        .slice(at, end)
        .map((cell) => cell.text)
        .join('')
      const kept = shown.trimEnd()
      const columns = end - at - (shown.length - kept.length)
      const weight = style.bold ? ' font-weight="bold"' : ''
      parts.push(
        `<text x="${round(x(start + at))}" y="${round(top + BASELINE)}" fill="${ink}"${weight} textLength="${round(columns * CELL.width)}">${escaped(kept)}</text>`,
      )
    }
    at = end
  }
  return parts
}

function blockOf(text) {
  if (text === '') return undefined
  const lower = LOWER.indexOf(text)
  if (lower >= 0) return { width: 1, height: (lower + 1) / 8 }
  const left = LEFT.indexOf(text)
  return left >= 0 ? { width: (left + 1) / 8, height: 1 } : undefined
}

function styled(before, codes) {
  let style = { ...before }
  const numbers = codes.split(';').map(Number)
  for (let at = 0; at < numbers.length; at++) {
    const code = numbers[at]
    if (code === 0) style = {}
    else if (code === 1) style.bold = true
    else if (code === 7) style.inverse = true
    else if (code === 22) delete style.bold
    else if (code === 27) delete style.inverse
    else if (code === 39) delete style.ink
    else if (code === 49) delete style.paper
    else if ((code === 38 || code === 48) && numbers[at + 1] === 5) {
      style[code === 38 ? 'ink' : 'paper'] = colour256(numbers[at + 2])
      at += 2
    } else if (code >= 30 && code <= 37) style.ink = SIXTEEN[code - 30]
    else if (code >= 40 && code <= 47) style.paper = SIXTEEN[code - 40]
    else if (code >= 90 && code <= 97) style.ink = SIXTEEN[code - 82]
  }
  return style
}

function colour256(code) {
  if (code < 16) return SIXTEEN[code]
  const hex = (...values) => `#${values.map((value) => value.toString(16).padStart(2, '0')).join('')}`
  if (code >= 232) return hex(...Array(3).fill(8 + (code - 232) * 10))
  const level = (part) => (part === 0 ? 0 : 55 + part * 40)
  const rest = code - 16
  return hex(level(Math.floor(rest / 36)), level(Math.floor(rest / 6) % 6), level(rest % 6))
}

function rect(x, y, width, height, fill) {
  return `<rect x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}" fill="${fill}"/>`
}

function escaped(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

function round(value) {
  return Math.round(value * 100) / 100
}
