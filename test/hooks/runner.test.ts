// Programs that behave and programs that do not: real processes, ended with all of their group.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { signalGroup } from '../../src/hooks/group.js'
import { MAX_LINE, MAX_LINES, MAX_TAIL } from '../../src/hooks/output.js'
import { type RunRequest, type RunResult, startRun } from '../../src/hooks/runner.js'
import { until } from '../support/until.js'

let folder: string
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-hooks-'))
})
after(() => fs.rmSync(folder, { recursive: true }))

interface Told {
  readonly result: RunResult
  readonly lines: readonly string[]
}

function request(
  script: string,
  changes: Partial<RunRequest> = {},
): RunRequest & { readonly lines: string[] } {
  const lines: string[] = []
  return {
    argv: ['sh', '-c', script],
    cwd: folder,
    env: { PATH: process.env.PATH ?? '' },
    input: Buffer.alloc(0),
    scratch: folder,
    timeoutMs: 60_000,
    onLine: (name, line) => lines.push(`${name}: ${line}`),
    lines,
    ...changes,
  }
}

async function run(script: string, changes: Partial<RunRequest> = {}): Promise<Told> {
  const asked = request(script, changes)
  return { result: await startRun(asked).ended, lines: asked.lines }
}

describe('a run', () => {
  it('gets its input, environment and directory, and no more environment than given', async () => {
    const { result, lines } = await run('tr "\\0" "\\n"; pwd; env | grep -c SHOAL; echo oops >&2; exit 3', {
      input: Buffer.from('a b\0c\nd\0'),
      env: { PATH: process.env.PATH ?? '', SHOAL_X: '1' },
    })
    assert.deepEqual(
      lines.filter((line) => line.startsWith('stdout')),
      ['a b', 'c', 'd', folder, '1'].map((line) => `stdout: ${line}`),
    )
    assert.ok(lines.includes('stderr: oops'))
    assert.deepEqual([result.type, result.exit, result.signal], ['exited', 3, null])
    assert.match(result.tail, /oops\n/)
  })

  it('needs no program that reads its input, however long that is', async () => {
    const { result } = await run('exec <&-; exit 0', { input: Buffer.alloc(4 << 20, 'x\0') })
    assert.deepEqual([result.type, result.exit], ['exited', 0])
  })

  it('reads a long input to its end', async () => {
    const input = Buffer.from(Array.from({ length: 200_000 }, (_, i) => `some/where/${i}\0`).join(''))
    const { lines } = await run('wc -c', { input })
    assert.deepEqual(
      lines.map((line) => line.replace(/\s+/g, '')),
      [`stdout:${input.length}`],
    )
  })

  it('is not drowned by what it prints: lines are cut, only so many are told, the end is kept', async () => {
    const { result, lines } = await run(
      'head -c 3000000 /dev/zero | tr "\\0" x; echo; i=0; while [ $i -lt 1000 ]; do echo line $i; i=$((i+1)); done; printf end',
    )
    assert.equal(lines.length, MAX_LINES)
    assert.equal(lines[0], `stdout: ${'x'.repeat(MAX_LINE)}...`)
    assert.equal(result.unlogged, 1002 - MAX_LINES)
    assert.ok(result.tail.length <= MAX_TAIL && result.tail.endsWith('line 999\nend\n'))
  })

  it('that does not start says why', async () => {
    const { result } = await run('', { argv: ['no-such-program-here'] })
    assert.deepEqual([result.type, result.reason], ['not-started', 'no-such-program-here is not found'])
    const elsewhere = await run('true', { cwd: path.join(folder, 'nowhere') })
    assert.match(elsewhere.result.reason ?? '', /its directory .*nowhere is not there/)
    fs.writeFileSync(path.join(folder, 'plain'), 'x')
    const plain = await run('', { argv: [path.join(folder, 'plain')] })
    assert.match(plain.result.reason ?? '', /plain may not be run/)
    const huge = await run('', { argv: ['true', 'x'.repeat(3 << 20)] })
    assert.equal(huge.result.type, 'not-started')
  })

  it('has its input without a name, and says if there is no room for it', async () => {
    const names = fs.readdirSync(folder)
    const { lines } = await run('cat; cat', { input: Buffer.from('once\n') })
    assert.deepEqual([lines, fs.readdirSync(folder)], [['stdout: once'], names])
    const { result } = await run('true', { scratch: path.join(folder, 'nowhere') })
    assert.equal(result.type, 'not-started')
    assert.match(result.reason ?? '', /^there is no place for its input: ENOENT/)
  })

  it('does not see a shell', async () => {
    const { lines } = await run('', { argv: ['echo', '$HOME;', '`id`', '*'] })
    assert.deepEqual(lines, ['stdout: $HOME; `id` *'])
  })

  it('ends by a signal of others', async () => {
    const { result } = await run('kill -9 $$')
    assert.deepEqual([result.type, result.exit, result.signal], ['exited', null, 'SIGKILL'])
  })

  it('has a time, and after that its whole group ends, children that ignore SIGTERM too', async () => {
    const pids = path.join(folder, 'pids')
    const { result } = await run(
      `trap '' TERM; (trap '' TERM; echo $$ >> ${pids}; sleep 1000; sleep 1000) & echo $! >> ${pids}; wait; sleep 1000`,
      { timeoutMs: 300, graceMs: 200 },
    )
    assert.deepEqual([result.type, result.signal], ['timeout', 'SIGKILL'])
    const left = fs.readFileSync(pids, 'utf8').split('\n').filter(Boolean).map(Number)
    assert.ok(left.length >= 2)
    await until('all of the group are gone', () => !left.some(isRunning))
  })

  it('may end in order when its time is up', async () => {
    const { result, lines } = await run(`trap 'echo bye; exit 0' TERM; sleep 1000 & wait`, { timeoutMs: 300 })
    assert.deepEqual([result.type, lines], ['timeout', ['stdout: bye']])
  })

  it('is over when the program is, whatever it left in the background with its outputs open', async () => {
    const { result, lines } = await run('sleep 1000 & echo $!')
    assert.deepEqual([result.type, result.exit], ['exited', 0])
    const pid = Number(lines[0]!.slice('stdout: '.length))
    assert.ok(isRunning(pid))
    process.kill(pid, 'SIGKILL')
  })

  it('can be stopped: at once by itself, or by signals after a while', async () => {
    const quick = startRun(request('sleep 0.05'))
    quick.stop(60_000, 60_000)
    assert.equal((await quick.ended).type, 'exited')
    const slow = startRun(request('sleep 1000'))
    slow.stop(10, 60_000)
    assert.equal((await slow.ended).type, 'stopped')
    assert.equal(signalGroup(slow.pid!, 0), false)
  })
})

function isRunning(pid: number): boolean {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
  } catch {
    return false
  }
}
