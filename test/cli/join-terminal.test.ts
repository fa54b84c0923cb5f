// `shoal join` at a terminal, a pseudo-terminal made with python3: what is typed or pasted is never shown, the editing
// keys work, and the terminal is afterwards as it was before. Skipped where there is no python3.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'
import { commandArgs, MAIN } from '../support/command.js'

const W = formatSecret(writeSecretOf(Buffer.alloc(32, 7)))

/** Runs a command on a terminal of its own; types when the prompt is there; tells what was shown and how it ended. */
const DRIVER = `
import array, fcntl, json, os, pty, select, signal, sys, termios, time
spec = json.load(sys.stdin)
pid, fd = pty.fork()
if pid == 0:
    os.execvp(spec['argv'][0], spec['argv'])
def modes():
    flags = termios.tcgetattr(fd)[3]
    return [bool(flags & termios.ECHO), bool(flags & termios.ICANON)]
before = modes()
during = None
out = b''
sent = False
while True:
    ready, _, _ = select.select([fd], [], [], 60)
    if not ready:
        break
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    out += data
    if not sent and b'shown): ' in out:
        during = modes()
        sent = True
        # What the kernel has not taken in when the command ends, it would show after it.
        slave = os.open(os.readlink(f'/proc/{pid}/fd/0'), os.O_RDWR | os.O_NOCTTY) if spec['kill'] else None
        if spec['kill']:
            os.kill(pid, signal.SIGSTOP)
        for text in spec['type']:
            os.write(fd, text.encode())
        if spec['kill']:
            taken = array.array('i', [0])
            while taken[0] < sum(len(text) for text in spec['type']):
                fcntl.ioctl(slave, termios.FIONREAD, taken)
                time.sleep(0.001)
            os.close(slave)
            os.kill(pid, spec['kill'])
            os.kill(pid, signal.SIGCONT)
_, status = os.waitpid(pid, 0)
print(json.dumps({'out': out.decode(), 'exit': os.waitstatus_to_exitcode(status), 'before': before, 'during': during, 'after': modes()}))
`

interface Session {
  readonly out: string
  readonly exit: number
  /** Echo, and lines edited by the kernel. */
  readonly before: [boolean, boolean]
  readonly during: [boolean, boolean] | null
  readonly after: [boolean, boolean]
}

const hasPython = spawnSync('python3', ['-c', 'import pty, os; os.waitstatus_to_exitcode']).status === 0
const skip = hasPython ? false : 'there is no python3 to make a terminal with'

let folder: string
let count = 0
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'shoal-terminal-'))
})
after(() => rmSync(folder, { recursive: true }))

/** `kill`: the number of a signal that the command gets once all is typed. */
function run(argv: readonly string[], typed: readonly string[], kill = 0): Session {
  const { stdout, stderr } = spawnSync('python3', ['-c', DRIVER], {
    input: JSON.stringify({ argv, type: typed, kill }),
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  return JSON.parse(stdout) as Session
}

/** Types at the prompt of a join; the session, and the configuration if one was written. */
function joinTyping(typed: readonly string[]): { session: Session; config: string | undefined } {
  const place = join(folder, String(count++))
  mkdirSync(place)
  const file = join(place, 'it.conf')
  const argv = [
    process.execPath,
    ...commandArgs(['join', join(place, 'dir'), '--config', file, '--storage', join(place, 's')]),
  ]
  const session = run(argv, typed)
  return { session, config: existsSync(file) ? readFileSync(file, 'utf8') : undefined }
}

function assertQuiet(session: Session): void {
  assert.ok(!session.out.includes(W.slice(8, 20)), session.out)
  assert.deepEqual(session.before, [true, true])
  assert.deepEqual(session.during, [false, false])
  assert.deepEqual(session.after, [true, true])
}

const accepted: { name: string; typed: string[] }[] = [
  { name: 'typed, with Enter', typed: [...`${W}\r`] },
  {
    name: 'typed with mistakes and backspace',
    typed: [W.slice(0, 20), 'qqq', '\x7f\x7f\x08', W.slice(20), '\r'],
  },
  { name: 'after the line was cleared with Ctrl-U', typed: ['wrong', '\x15', W, '\r'] },
  { name: 'pasted with its line end', typed: [`${W}\n`] },
  { name: 'pasted with an empty line before and after, and CRLF', typed: [`\r\n  ${W} \r\n\r\n`] },
  { name: 'pasted between brackets', typed: [`\x1b[200~${W}\x1b[201~`, '\r'] },
]
for (const { name, typed } of accepted)
  test(`a secret is taken ${name}, and never shown`, { skip }, () => {
    const { session, config } = joinTyping(typed)
    assertQuiet(session)
    assert.equal(session.exit, 0, session.out)
    assert.ok(config?.includes(JSON.stringify(W)))
  })

const refused: { name: string; typed: string[]; exit: number; out: RegExp }[] = [
  { name: 'Ctrl-C', typed: [W.slice(0, 30), '\x03'], exit: 130, out: /shown\): \s*$/ },
  { name: 'Ctrl-D', typed: ['\x04'], exit: 64, out: /no secret was typed/ },
  {
    name: 'a mistyped secret',
    typed: [`${W.slice(0, -1)}q`, '\r'],
    exit: 65,
    out: /its checksum does not match/,
  },
  { name: 'several lines', typed: [`${W}\n${W}\n`], exit: 64, out: /several lines were pasted/ },
  {
    name: 'a secret wrapped into two lines',
    typed: [`${W.slice(0, 40)}\n${W.slice(40)}`],
    exit: 64,
    out: /several lines/,
  },
]
for (const { name, typed, exit, out } of refused)
  test(`${name} ends it without a word of the secret, and makes nothing`, { skip }, () => {
    const { session, config } = joinTyping(typed)
    assertQuiet(session)
    assert.equal(session.exit, exit, session.out)
    assert.match(session.out, out)
    assert.equal(config, undefined)
  })

test('what was pasted after the secret never reaches the shell', { skip }, () => {
  const command = `"$0" "$1" join "$2" --config "$2.conf" --storage "$2.s"; stty -icanon -echo min 0 time 5; printf 'left[%s]' "$(dd bs=1000 count=1 2>/dev/null)"`
  const argv = ['sh', '-c', command, process.execPath, MAIN, join(folder, 'shell')]
  const session = run(argv, [`${W.slice(0, 40)}\n${W.slice(40)}\n`])
  assert.match(session.out, /several lines were pasted[\s\S]*left\[\]/)
})

test('the terminal is as before when the command is ended at the prompt', { skip }, () => {
  const argv = [process.execPath, ...commandArgs(['join', join(folder, 'ended')])]
  const session = run(argv, [W.slice(0, 30)], constants.signals.SIGTERM)
  assertQuiet(session)
  assert.equal(session.exit, -constants.signals.SIGTERM)
})
