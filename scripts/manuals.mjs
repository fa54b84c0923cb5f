// Writes the man pages and the shell completions to dist/man and dist/completion. Run after a build; "npm pack" and
// "npm run deb" do it by themselves.
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { sourceDate } from './deb/source-date.mjs'

const root = new URL('..', import.meta.url)
// As with the build: without the development tools, what is there already has to do.
if (!existsSync(new URL('node_modules/marked', root)) && existsSync(new URL('dist/man', root)))
  process.exit(0)
const { configPage, shoalPage } = await import('./manuals/pages.mjs')
const read = (path) => readFileSync(new URL(path, root), 'utf8')
const built = (path) => import(new URL(`dist/src/cli/${path}`, root))
const { makeProgram } = await built('program.js')
const { commandTree } = await built('completion/command-tree.js')
const { completionFor } = await built('completion/completion.js')
const io = { out: () => {}, err: () => {}, stdin: process.stdin, env: {} }
const tree = commandTree(makeProgram(io, () => {}))
const { version } = JSON.parse(read('package.json'))
const when = { date: sourceDate().toISOString().slice(0, 10), version }

const files = {
  'man/shoal.1': shoalPage(tree, read('docs/cli.md'), when),
  'man/shoal.conf.5': configPage(read('docs/configuration.md'), when),
  'completion/shoal.bash': completionFor('bash', tree),
  'completion/_shoal': completionFor('zsh', tree),
  'completion/shoal.fish': completionFor('fish', tree),
}
for (const folder of ['man', 'completion']) {
  const url = new URL(`dist/${folder}`, root)
  if (existsSync(url)) rmSync(url, { recursive: true })
  mkdirSync(url, { recursive: true })
}
for (const [path, text] of Object.entries(files)) writeFileSync(new URL(`dist/${path}`, root), text)
