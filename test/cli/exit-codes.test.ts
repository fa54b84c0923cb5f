// The table of exit codes in docs/cli.md says what the program does: every code of a failure at its number, every answer,
// nothing else; and no number stands anywhere in the program that the table does not have.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { Readable } from 'node:stream'
import { describe, it } from 'node:test'
import { allCommands, commandTree } from '../../src/cli/completion/command-tree.js'
import { EXIT } from '../../src/cli/exit.js'
import { makeProgram } from '../../src/cli/program.js'
import { errorCodes, meaningOf } from '../../src/core/error.js'
import { repository } from '../support/repository.js'

interface Row {
  readonly exit: number
  readonly codes: readonly string[]
  readonly meaning: string
}

const page = readFileSync(new URL('docs/cli.md', repository), 'utf8')

function rows(): Row[] {
  const section = page.slice(page.indexOf('## Exit codes'), page.indexOf('## JSON'))
  return [...section.matchAll(/^\| (\d+) \| ([^|]*)\| ([^|]*)\|$/gm)].map(([, exit, codes, meaning]) => ({
    exit: Number(exit),
    codes: [...codes!.matchAll(/`(\w+)`/g)].map(([, code]) => code!),
    meaning: meaning!,
  }))
}

describe('exit codes', () => {
  it('each number has one row, in order', () => {
    const exits = rows().map(({ exit }) => exit)
    assert.deepEqual(
      exits,
      [...new Set(exits)].sort((a, b) => a - b),
    )
  })

  it('every failure is at its number, and no other code is listed', () => {
    const documented = rows().flatMap(({ exit, codes }) => codes.map((code) => [code, exit] as const))
    const actual = errorCodes().map((code) => [code, meaningOf(code).exit] as const)
    assert.deepEqual(new Map(documented.sort()), new Map(actual.sort()))
    assert.equal(documented.length, actual.length, 'a code is listed twice')
  })

  it('numbers without a code are the answers', () => {
    const answers = rows().flatMap(({ exit, codes }) => (codes.length === 0 ? [exit] : []))
    assert.deepEqual(answers, Object.values(EXIT))
    const failures = errorCodes().map((code) => meaningOf(code).exit)
    for (const exit of answers) assert.ok(!failures.includes(exit), `${exit} is an answer and a failure`)
  })

  it('a command that says it answers with 1 is named there', () => {
    const io = { out: () => {}, err: () => {}, stdin: Readable.from([]), env: {} }
    const tree = commandTree(makeProgram(io, () => {}))
    const said = allCommands(tree).filter(({ description, notes }) =>
      /exit code (is )?(1\b|0[^.]*\b1\b)/.test(`${description} ${notes}`),
    )
    assert.ok(said.length >= 5, `only ${said.length} commands`)
    const { meaning } = rows().find(({ exit }) => exit === EXIT.no)!
    for (const { path } of said) assert.ok(meaning.includes(`\`${path}\``), `${path} is not in the row of 1`)
  })

  it('no other number is written where a process ends', () => {
    const known = new Set(rows().map(({ exit }) => exit))
    const found: number[] = []
    for (const name of readdirSync(new URL('src/', repository), { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('.ts')) continue
      const source = readFileSync(new URL(`src/${name}`, repository), 'utf8')
      for (const [, exit] of source.matchAll(
        /\b(?:process|host)\.exit\((\d+)\)|\bprocess\.exitCode = (\d+)/g,
      )) {
        found.push(Number(exit))
        assert.ok(known.has(Number(exit)), `${name} ends with ${exit}`)
      }
    }
    assert.ok(found.length >= 3, `only ${found.length} were found`)
  })
})
