// The man pages are made from the program and the pages: each command and key is there, and the sources are sound roff.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, describe, it } from 'node:test'
import { allCommands, type CommandRow, commandTree } from '../../src/cli/completion/command-tree.js'
import { makeProgram } from '../../src/cli/program.js'
import { repository } from '../support/repository.js'

interface Generators {
  shoalPage(tree: CommandRow, page: string, when: { date: string; version: string }): string
  configPage(page: string, when: { date: string; version: string }): string
  markdown(source: string): { readonly intro: string }
  plain(text: string): string
}

const WHEN = { date: '2026-01-02', version: '1.2.3' }
const read = (path: string): string => readFileSync(new URL(path, repository), 'utf8')

let scratch: string
let make: Generators
let tree: CommandRow
before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'shoal-manuals-'))
  const modules = ['pages', 'roff']
  const parts = await Promise.all(
    modules.map((name) => import(new URL(`scripts/manuals/${name}.mjs`, repository).href)),
  )
  make = Object.assign({}, ...parts) as Generators
  const io = { out: () => {}, err: () => {}, stdin: Readable.from([]), env: {} }
  tree = commandTree(makeProgram(io, () => {}))
})
after(() => rmSync(scratch, { recursive: true }))

const shoalPage = (): string => make.shoalPage(tree, read('docs/cli.md'), WHEN)
const configPage = (): string => make.configPage(read('docs/configuration.md'), WHEN)

describe('man pages', () => {
  it('shoal(1) has every command with its options, and the exit codes', () => {
    const page = shoalPage().replaceAll('\\-', '-')
    const commands = allCommands(tree)
    assert.ok(commands.length > 10, `only ${commands.length} commands`)
    for (const { path, options } of commands) {
      assert.ok(page.includes(path), path)
      for (const { long } of options)
        assert.ok(page.includes(`\\fB${long}`) || page.includes(`, ${long}`), `${path} ${long}`)
    }
    assert.match(page, /^\.SH "EXIT CODES"$/m)
    assert.match(page, /CONFIG_INVALID/)
  })

  it('shoal(1): what --help sets out in columns is not filled', () => {
    const page = shoalPage().replaceAll('\\-', '-')
    assert.match(page, /^\.EX\nbash: .*\nzsh: .*\nfish: .*$/m)
  })

  it('shoal.conf(5) has every key of docs/configuration.md as a paragraph of its own', () => {
    const page = configPage()
    const keys = [...read('docs/configuration.md').matchAll(/^\| `(\w+)` \|/gm)].map(([, key]) => key)
    assert.ok(keys.length >= 16, `only ${keys.length} keys`)
    for (const key of keys) assert.ok(page.includes(`.TP\n\\fB${key}\\fR\n`), key)
  })

  it('no text is taken for a request or an escape', () => {
    assert.equal(
      make.plain(".so /etc/passwd\n'br\n\\fB a-b `c`"),
      "\\&.so /etc/passwd\n\\&'br\n\\efB a\\-b \\(gac\\(ga",
    )
    assert.equal(make.markdown('a\n`.TH`\n').intro, '.PP\na\n\\fB\\&.TH\\fR')
  })

  for (const [command, argv] of [
    ['mandoc', ['-T', 'lint', '-W', 'warning']],
    ['groff', ['-man', '-ww', '-Kutf8', '-Tutf8', '-z']],
  ] as const)
    it(`${command} has nothing to say about them`, (t) => {
      for (const [name, text] of [
        ['shoal.1', shoalPage()],
        ['shoal.conf.5', configPage()],
      ] as const) {
        const file = join(scratch, name)
        writeFileSync(file, text)
        const { error, stdout, stderr } = spawnSync(command, [...argv, file], { encoding: 'utf8' })
        if (error !== undefined) return t.skip(`${command} is not installed`)
        assert.equal(stdout + stderr, '')
      }
    })
})
