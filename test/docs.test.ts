// The pages that state formats and reasons keep up with the source: every key derivation, every dependency and every
// signed or proven label is there, and links lead somewhere.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { allCommands, commandTree } from '../src/cli/completion/command-tree.js'
import { makeProgram } from '../src/cli/program.js'
import { ROUTES } from '../src/control/calls.js'
import { LABELS } from '../src/core/keys.js'
import { repository } from './support/repository.js'

function read(path: string): string {
  return readFileSync(new URL(path, repository), 'utf8')
}

function below(folder: string, extension: string): string[] {
  return readdirSync(new URL(folder, repository), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension))
    .map((name) => `${folder}${name}`)
}

test('K1: docs/design.md lists every key derivation', () => {
  const page = read('docs/design.md')
  for (const label of Object.values(LABELS)) assert.ok(page.includes(`\`${label}\``), label)
})

test('docs/design.md names every label that is signed, sealed or proven with', () => {
  const page = read('docs/design.md')
  const labels = new Set<string>()
  for (const file of below('src/', '.ts'))
    for (const [, label] of read(file).matchAll(
      /'(shoal(?: 2025)? [a-z ]+ v1|shoal 2026-11 v1 [a-z ]+)(?:\\0)?'/g,
    ))
      labels.add(label!)
  assert.ok(labels.size >= 9, `only ${labels.size} labels were found`)
  for (const label of labels) assert.ok(page.includes(label), label)
})

interface Manifest {
  readonly dependencies: Record<string, string>
  readonly devDependencies: Record<string, string>
  readonly overrides: Record<string, string>
}

test('docs/decisions/0001-dependencies.md has a line for every dependency, and names the others', () => {
  const { dependencies, devDependencies, overrides } = JSON.parse(read('package.json')) as Manifest
  const page = read('docs/decisions/0001-dependencies.md')
  for (const name of Object.keys(dependencies))
    assert.match(page, new RegExp(`^\\| [^|]*\`${name}\`[^|]* \\|`, 'm'))
  for (const name of Object.keys({ ...devDependencies, ...overrides }))
    assert.ok(page.includes(`\`${name}\``), name)
})

test('every dependency is used by the source, but for those of which the page says that nothing of ours uses them', () => {
  const { dependencies } = JSON.parse(read('package.json')) as Manifest
  const page = read('docs/decisions/0001-dependencies.md')
  const source = below('src/', '.ts')
    .concat(below('src/', '.tsx'))
    .map((file) => read(file).replace(/^\s*\/\/.*$/gm, ''))
    .join('\n')
  for (const name of Object.keys(dependencies)) {
    const isUsed = source.includes(`'${name}'`) || source.includes(`'${name}/`)
    assert.notEqual(isUsed, page.includes(`| \`${name}\` | nothing of ours:`), name)
  }
})

/** What the headings of a page can be linked by. */
function anchorsOf(page: string): Set<string> {
  const headings = page.replace(/```.*?```/gs, '').matchAll(/^#+ (.*)$/gm)
  return new Set(
    [...headings].map(([, words]) =>
      words!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(/\s/g, '-'),
    ),
  )
}

test('links between pages lead to files, and to headings that are there', () => {
  for (const file of ['README.md', 'CHANGELOG.md', ...below('docs/', '.md'), ...below('examples/', '.md')])
    for (const [, path, anchor] of read(file).matchAll(/\]\(([^)#\s]*)(?:#([^)\s]*))?\)/g)) {
      if (/^https?:/.test(path!)) continue
      const url = path === '' ? new URL(file, repository) : new URL(path!, new URL(file, repository))
      assert.ok(existsSync(url), `${file} links to ${path}`)
      if (anchor !== undefined)
        assert.ok(anchorsOf(readFileSync(url, 'utf8')).has(anchor), `${file} links to ${path}#${anchor}`)
    }
})

test('docs/cli.md has a row for every command, with all its options and no others', () => {
  const io = { out: () => {}, err: () => {}, stdin: Readable.from([]), env: {} }
  const commands = allCommands(commandTree(makeProgram(io, () => {})))
  const usages = [...read('docs/cli.md').matchAll(/^\| (`shoal .*?) \| /gm)].flatMap(([, cell]) =>
    [...cell!.replaceAll('\\|', '|').matchAll(/`(shoal [^`]*)`/g)].map(([, usage]) => usage!),
  )
  const commandOf = (usage: string): string | undefined =>
    commands
      .map(({ path }) => path)
      .filter((path) => `${usage} `.startsWith(`${path} `))
      .sort((a, b) => b.length - a.length)[0]
  const isOfAll = (option: string | undefined): boolean => /^--(help|version|quiet)$/.test(option ?? '')
  for (const { path, options, commands: parts } of commands) {
    const own = usages.filter((usage) => commandOf(usage) === path)
    if (parts.length === 0 || options.some(({ long }) => !isOfAll(long))) assert.notEqual(own.length, 0, path)
    const shown = new Set(own.flatMap((usage) => usage.match(/--[a-z][a-z-]*/g) ?? []))
    const known = options.flatMap(({ long }) => (long === undefined || isOfAll(long) ? [] : [long]))
    assert.deepEqual([...shown].filter((option) => !isOfAll(option)).sort(), known.sort(), path)
  }
})

test('every option that pages, examples and messages give a command is one of it', () => {
  const io = { out: () => {}, err: () => {}, stdin: Readable.from([]), env: {} }
  const program = makeProgram(io, () => {})
  const commands = new Map(allCommands(commandTree(program)).map((command) => [command.path, command]))
  // doctor's own, and not for people.
  const hidden = ['--without-machine']
  const texts = ['README.md', ...below('docs/', '.md'), ...below('examples/', ''), ...below('src/', '.ts')]
  let seen = 0
  for (const file of texts) {
    if (!statSync(new URL(file, repository)).isFile()) continue
    for (const [, name, rest] of read(file).matchAll(/\bshoal ([a-z][a-z-]+)((?: +[^`'"|;)\n]*)?)/g)) {
      const command = commands.get(`shoal ${name}`)
      if (command === undefined) continue
      const part = commands.get(`${command.path} ${rest!.trim().split(/\s/)[0]}`)
      const known = new Set((part ?? command).options.map(({ long }) => long))
      for (const [option] of rest!.matchAll(/--[a-z][a-z-]*/g)) {
        seen++
        assert.ok(
          known.has(option) || option === '--quiet' || hidden.includes(option),
          `${file}: shoal ${name}${rest} has no ${option}`,
        )
      }
    }
  }
  assert.ok(seen > 50, `only ${seen} options were found`)
})

test('docs/cli.md lists every call of the control API', () => {
  const listed = [...read('docs/cli.md').matchAll(/^\| `(GET|POST|PUT|DELETE) (?=\/v1\/).*?\|/gm)].flatMap(
    ([cell, method]) => [...cell!.matchAll(/\/v1\/[a-z/-]+/g)].map(([path]) => `${method} ${path}`),
  )
  const calls = Object.values(ROUTES).map(({ method, path }) => `${method} ${path}`)
  assert.deepEqual(listed.sort(), calls.sort())
})
