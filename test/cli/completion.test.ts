// The completions are made from the program: the sources are sound, and each shell completes with them. A shell that is
// not installed is skipped with a word.
import assert from 'node:assert/strict'
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import { SHELLS, type Shell } from '../../src/cli/completion/shells.js'
import { shoal } from './transcript.js'

/** What is typed, and what it may become: all of it, or at least this (`some`). */
interface Case {
  readonly words: string
  readonly expect?: readonly string[]
  readonly some?: readonly string[]
}

const CASES: readonly Case[] = [
  { words: 'shoal sta', expect: ['status'] },
  { words: 'shoal secret ', expect: ['new', 'relay-pass', 'show'] },
  { words: 'shoal secret new --gr', expect: ['--grade'] },
  { words: 'shoal secret new --grade ', expect: ['write', 'read', 'blind'] },
  { words: 'shoal run --log-level si', expect: ['silent'] },
  { words: 'shoal run --log-level silent x.co', expect: ['x.conf'] },
  { words: 'shoal status ./x', expect: ['./x.conf'] },
  { words: 'shoal approve x.conf su', expect: ['sub/'] },
  { words: 'shoal status --timeout ', expect: [] },
  { words: 'shoal nonsense ', expect: [] },
  { words: 'shoal help sca', expect: ['scan'] },
  { words: 'shoal drift ack', expect: ['acknowledge'] },
  { words: 'shoal drift acknowledge x.conf --rea', expect: ['--reason'] },
  { words: 'shoal completion ', expect: [...SHELLS] },
  { words: 'shoal peers --qu', expect: ['--quiet'] },
  { words: 'shoal ', some: ['doctor', 'run', 'status'] },
]

let scratch: string
const script = new Map<Shell, string>()

before(async () => {
  scratch = mkdtempSync(join(tmpdir(), 'shoal-completion-'))
  writeFileSync(join(scratch, 'x.conf'), '')
  mkdirSync(join(scratch, 'sub'))
  for (const shell of SHELLS) {
    const { exit, out, err } = await shoal(['completion', shell])
    assert.deepEqual([exit, err], [0, ''])
    const file = join(scratch, `completion.${shell}`)
    writeFileSync(file, out)
    script.set(shell, file)
  }
})
after(() => rmSync(scratch, { recursive: true }))

/** Runs a shell with all cases as arguments; it prints "WORDS:candidate candidate" for each. Undefined: not installed. */
function run(t: TestContext, shell: Shell, argv: readonly string[], cases: readonly Case[]): void {
  const lines = cases.map(({ words }) => words)
  const env = { PATH: process.env.PATH, HOME: scratch, LC_ALL: 'C.UTF-8' }
  const done: SpawnSyncReturns<string> = spawnSync(shell, [...argv, ...lines], {
    cwd: scratch,
    encoding: 'utf8',
    env,
  })
  if (done.error !== undefined) return t.skip(`${shell} is not installed`)
  assert.equal(done.stderr, '')
  const printed = new Map(
    done.stdout
      .trimEnd()
      .split('\n')
      .map((line) => {
        const at = line.indexOf(':')
        return [
          line.slice(0, at),
          line
            .slice(at + 1)
            .split(' ')
            .filter(Boolean)
            .sort(),
        ] as const
      }),
  )
  for (const { words, expect, some } of cases) {
    const found = printed.get(words)
    assert.ok(found !== undefined, `nothing was said of "${words}":\n${done.stdout}`)
    if (expect !== undefined) assert.deepEqual(found, [...expect].sort(), words)
    for (const word of some ?? []) assert.ok(found.includes(word), `${words}${word}`)
  }
}

describe('completion', () => {
  it('bash', (t) => {
    const text = `set -u; . ./completion.bash; complete -p shoal >/dev/null
      for line in "$@"; do
        read -ra COMP_WORDS <<<"$line"; [[ $line != *' ' ]] || COMP_WORDS+=('')
        COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _shoal; echo "$line:\${COMPREPLY[*]}"
      done`
    // Marking a folder with a slash is the line editor's part.
    const cases = CASES.map((each) => (each.expect?.[0] === 'sub/' ? { ...each, expect: ['sub'] } : each))
    run(
      t,
      'bash',
      ['--norc', '-c', text, 'bash'],
      [...cases, { words: 'shoal secret new --grade = re', expect: ['read'] }],
    )
  })

  it('zsh', (t) => {
    // The parts of zsh's completion system that it calls, as far as their candidates go: the real ones need a terminal.
    const text = `setopt err_return no_unset
      matching() { for each; do [[ $each != \${PREFIX}* ]] || found+=($each); done }
      compadd() { matching \${(P)2} }
      _describe() { matching \${(P)2%%:*} }
      _files() { if [[ \${1-} == -/ ]]; then matching *(-/N:s/%//); else matching *(N) ./*(N); fi }
      compset() { PREFIX=\${PREFIX#*=} }
      compdef() { registered=$* }
      . ./completion.zsh
      [[ $registered == '_shoal shoal' ]]
      for line in "$@"; do
        words=(\${(s: :)line}); [[ $line != *' ' ]] || words+=('')
        CURRENT=$#words PREFIX=\${words[-1]} found=()
        _shoal || true
        echo "$line:\${(u)found}"
      done`
    const zsh = CASES.map((each) => (each.expect?.[0] === 'sub/' ? { ...each, expect: ['sub'] } : each))
    run(
      t,
      'zsh',
      ['-f', '-c', text, 'zsh'],
      [...zsh, { words: 'shoal secret new --grade=re', expect: ['read'] }],
    )
  })

  it('fish', (t) => {
    const text = `source ./completion.fish
      for line in $argv
        set -l found (complete -C $line | string split -f 1 \\t)
        echo "$line:$found"
      end`
    run(
      t,
      'fish',
      ['--no-config', '-c', text],
      [...CASES, { words: 'shoal secret new --grade=re', expect: ['--grade=read'] }],
    )
  })

  it('of another shell: exit 64', async () => {
    const { exit, err } = await shoal(['completion', 'csh'])
    assert.equal(exit, 64)
    assert.match(err, /Allowed choices are bash, zsh, fish/)
  })
})
