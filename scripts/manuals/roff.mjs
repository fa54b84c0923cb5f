// Text and Markdown as man(7) source. Markdown is read by marked; this turns its tokens into macros: headings into
// sections, every table row into a tagged paragraph, code blocks into examples. Promises that no text is taken for a
// request or an escape, whatever it holds.
import { marked } from 'marked'

/** Where links and mentions of a page lead once it is a manual. */
const PAGES = new Map([
  ['docs/cli.md', 'shoal(1)'],
  ['docs/configuration.md', 'shoal.conf(5)'],
])

/** Prose, safe in the middle of a line or at its start. */
export function plain(text) {
  return escaped(text.replace(/^\s+/, ''))
}

function escaped(text) {
  const words = text.replaceAll('\\', '\\e').replaceAll('-', '\\-').replaceAll('`', '\\(ga')
  return words.replace(/^(?=[.'])/gm, '\\&')
}

export function bold(text) {
  return `\\fB${plain(text)}\\fR`
}

export function italic(text) {
  return `\\fI${plain(text)}\\fR`
}

/** A text as it stands, line by line. */
export function example(text) {
  const lines = escaped(text.replace(/\s+$/, '')).split('\n')
  return [
    '.PP',
    '.in +4n',
    '.EX',
    ...lines.map((line) => (line.trim() === '' ? '.sp 1' : line)),
    '.EE',
    '.in',
  ].join('\n')
}

/** A quoted argument of a macro. */
export function quoted(text) {
  return `"${plain(text).replaceAll('"', '\\(dq')}"`
}

/** The title line and what every page starts with. */
export function title(name, section, { date, version, manual }) {
  return [
    '\'\\" -*- coding: UTF-8 -*-',
    `.TH ${name} ${section} ${date} "shoal ${version}" "${manual}"`,
    '.nh',
    '.ad l',
  ].join('\n')
}

export function section(name) {
  return `.SH ${quoted(name.toUpperCase())}`
}

/**
 * A Markdown page without its title: `intro` is what stands above the first section. `dropIntroTables` leaves out the
 * tables there, where the page says better by other means what they say.
 */
export function markdown(source, { dropIntroTables = false } = {}) {
  const tokens = marked.lexer(source).filter(({ type, depth }) => !(type === 'heading' && depth === 1))
  const first = tokens.findIndex(({ type }) => type === 'heading')
  const end = first === -1 ? tokens.length : first
  const intro = tokens.slice(0, end).filter(({ type }) => !(dropIntroTables && type === 'table'))
  return { intro: blocks(intro), sections: blocks(tokens.slice(end)) }
}

function blocks(tokens) {
  return tokens
    .map(block)
    .filter((text) => text !== '')
    .join('\n')
}

function block(token) {
  switch (token.type) {
    case 'space':
    case 'html': // only comments, which are for the tests
    case 'hr':
      return ''
    case 'heading':
      return token.depth === 2
        ? section(token.text.replaceAll('`', ''))
        : `.SS ${quoted(token.text.replaceAll('`', ''))}`
    case 'paragraph':
      return `.PP\n${inline(token.tokens)}`
    case 'text':
      return inline(token.tokens ?? [token])
    case 'code':
      return example(token.text)
    case 'blockquote':
      return ['.RS', blocks(token.tokens), '.RE'].join('\n')
    case 'list':
      return token.items.map((item, at) => listItem(item, token.ordered ? `${at + 1}.` : '\\(bu')).join('\n')
    case 'table':
      return token.rows.map((row) => tableRow(token.header, row)).join('\n')
    default:
      throw new Error(`a manual cannot hold Markdown of the kind "${token.type}": ${token.raw}`)
  }
}

function listItem({ tokens }, mark) {
  const [head, ...rest] = tokens
  const nested = rest.length === 0 ? [] : ['.RS', blocks(rest), '.RE']
  return [`.IP ${mark} 3`, block(head).replace(/^\.PP\n/, ''), ...nested].join('\n')
}

/** The first cell is the tag, the last the text; what stands between is said by its header. */
function tableRow(header, [tag, ...cells]) {
  const body = cells.at(-1)
  const between = cells.slice(0, -1).flatMap((cell, at) => {
    const name = inline(header[at + 1].tokens)
    return cell.text === '' || cell.text === '-'
      ? []
      : [`${name === '' ? '' : `${name}: `}${inline(cell.tokens)}`]
  })
  const aside = between.length === 0 ? '' : `(${between.join('; ')})`
  const text = [body === undefined ? '' : inline(body.tokens), aside].filter((part) => part !== '')
  return [
    '.TP',
    tag.text === '' ? '\\&' : inline(tag.tokens),
    text.length === 0 ? '\\&' : text.join('\n'),
  ].join('\n')
}

function inline(tokens) {
  return tokens
    .map((token) => {
      switch (token.type) {
        case 'text':
        case 'escape':
          return token.tokens === undefined ? prose(token.text) : inline(token.tokens)
        case 'codespan':
          return PAGES.has(token.text) ? bold(PAGES.get(token.text)) : bold(token.text)
        case 'strong':
          return `\\fB${inline(token.tokens).replaceAll('\\fR', '\\fB')}\\fR`
        case 'em':
          return `\\fI${inline(token.tokens).replaceAll('\\fR', '\\fI')}\\fR`
        case 'del':
          return inline(token.tokens)
        case 'link':
          return inline(token.tokens)
        case 'br':
          return '\n.br\n'
        case 'html':
          return ''
        default:
          throw new Error(`a manual cannot hold inline Markdown of the kind "${token.type}": ${token.raw}`)
      }
    })
    .join('')
}

/** Keeps the spaces around a piece of a sentence. */
function prose(text) {
  let words = unescapeHtml(text)
  for (const [page, manual] of PAGES) words = words.replaceAll(page, manual)
  const [, lead, rest] = /^(\s*)([\s\S]*)$/.exec(words)
  return (lead === '' ? '' : lead.includes('\n') ? '\n' : ' ') + plain(rest)
}

/** marked hands on entities as they were written. */
function unescapeHtml(text) {
  const names = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" }
  return text.replace(/&(amp|lt|gt|quot|#39);/g, (_, name) => names[name])
}
