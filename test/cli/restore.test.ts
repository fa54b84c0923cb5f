// `shoal restore` and `shoal browse` on the command line: what they print, exit codes, what is refused. What they do is
// tested in test/daemon/restore and test/e2e.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { parseMoment } from '../../src/cli/option-values.js'
import { formatSecret } from '../../src/core/secret.js'
import { PastWorld } from '../support/past-world.js'
import { shoal } from './transcript.js'

describe('shoal restore and browse', () => {
  let home: string
  let world: PastWorld
  let vault: string
  let secret: string

  before(async () => {
    home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-cli-restore-'))
    world = await PastWorld.make(3, home, 1)
    fs.mkdirSync(path.join(world.dir, 'notes'))
    fs.writeFileSync(path.join(world.dir, 'notes/a'), 'first\n')
    await world.publish(0)
    world.nowMs += 60_000
    fs.writeFileSync(path.join(world.dir, 'notes/a'), 'second\n')
    await world.publish(0)
    vault = path.join(home, 'vault')
    await world.writeVault(vault)
    secret = path.join(home, 'secret')
    fs.writeFileSync(secret, formatSecret(world.secret), { mode: 0o600 })
  })
  after(async () => {
    await world.close()
    fs.rmSync(home, { recursive: true, force: true })
  })

  const at = (ms: number): string => new Date(ms).toISOString()

  it('restores, and says what came of it; the secret may come on standard input', async () => {
    const to = path.join(home, 'to')
    const argv = ['restore', '--from', vault, '--to', to, '--at', at(world.nowMs - 1)]
    const { exit, out, err } = await shoal(argv, { stdin: formatSecret(world.secret) })
    assert.deepEqual([exit, err], [0, ''])
    assert.match(
      out,
      /^restored: 1 file, 6 B in .*to, as of 2026-11-20T12:00:59Z\n {2}server-0 wrote last at /,
    )
    assert.equal(fs.readFileSync(path.join(to, 'notes/a'), 'utf8'), 'first\n')
    const again = await shoal([...argv, '--secret-file', secret])
    assert.equal(again.exit, 73)
    assert.match(again.err, /is not empty/)
  })

  it('refuses what it cannot do', async () => {
    const cases: [string[], number, RegExp][] = [
      [['restore', '--to', 'x'], 64, /--from/],
      [['restore', '--from', vault, '--to', 'x', '--at', 'yesterday'], 64, /expected a time like/],
      [['restore', '--from', vault, '--to', 'x', '--at', '2026-02-30'], 64, /expected a time like/],
      [
        ['restore', '--from', vault, '--to', 'x', '--host', 'a:1', '--secret-file', secret],
        64,
        /--from swarm/,
      ],
      [['restore', '--from', vault, '--to', 'x', '../up', '--secret-file', secret], 64, /no path in a share/],
      [
        ['restore', '--from', `${home}/none`, '--to', `${home}/x`, '--secret-file', secret],
        66,
        /cannot read the vault in .*none: it is not there\n/,
      ],
      // Nobody could ever be found: said at once.
      [
        ['restore', '--from', 'swarm', '--no-search-lan', '--to', `${home}/x`, '--secret-file', secret],
        64,
        /no way to find a member/,
      ],
      [['browse', vault, 'mount', '--secret-file', secret], 64, /list, cat, history/],
      [['browse', vault, 'cat', '--secret-file', secret], 64, /name the file/],
      [['browse', vault, 'cat', 'nothing', '--secret-file', secret], 66, /nothing is not in the share/],
      [['browse', vault, 'cat', 'notes', '--secret-file', secret], 66, /notes is no file, but a directory/],
      [
        ['browse', vault, 'cat', 'no', '--at', at(world.nowMs), '--secret-file', secret],
        66,
        /no was not in the share/,
      ],
      [
        ['browse', vault, 'history', 'nothing', '--secret-file', secret],
        66,
        /nothing was ever written of nothing/,
      ],
      [['browse', secret, 'list', '--secret-file', secret], 74, /secret: it is no folder/],
      [
        ['browse', vault, 'list', '--at', '2020-01-01', '--secret-file', secret],
        66,
        /nobody had written anything by then \(.*; the oldest record is of 2026-11-20T12:00:00/,
      ],
    ]
    for (const [argv, exit, message] of cases) {
      const answer = await shoal(argv)
      assert.equal(answer.exit, exit, argv.join(' '))
      assert.match(answer.err, message)
    }
  })

  it('a secret on the command line is refused, and not repeated', async () => {
    const text = formatSecret(world.secret)
    const { exit, err } = await shoal(['restore', '--from', vault, '--to', 'x', text])
    assert.equal(exit, 64)
    assert.ok(!err.includes(text))
  })

  it('lists, prints and tells versions', async () => {
    const list = await shoal(['browse', vault, 'list', '--recursive', '--secret-file', secret])
    assert.deepEqual([list.exit, list.err], [0, ''])
    assert.match(list.out, /^d {2}0755 .* notes\n- {2}0644 {2}7 B .* notes\/a\n$/)
    const cat = await shoal([
      'browse',
      vault,
      'cat',
      'notes/a',
      '--at',
      at(world.nowMs - 1),
      '--secret-file',
      secret,
    ])
    assert.equal(cat.out, 'first\n')
    const history = await shoal(['browse', vault, 'history', 'notes/a', '--json', '--secret-file', secret])
    assert.deepEqual(
      (JSON.parse(history.out) as { by: string; size: number }[]).map(({ by, size }) => [by, size]),
      [
        ['server-0', 7],
        ['server-0', 6],
      ],
    )
  })
})

describe('moments', () => {
  it('are read in the zone of this machine, or the one they name', () => {
    assert.equal(parseMoment('2026-11-20T14:00Z'), Date.UTC(2026, 10, 20, 14))
    assert.equal(parseMoment('2026-11-20 14:00:30.5+02:00'), Date.UTC(2026, 10, 20, 12, 0, 30, 500))
    assert.equal(parseMoment('2026-11-20 14:00'), new Date(2026, 10, 20, 14).getTime())
    assert.equal(parseMoment('2026-11-20'), new Date(2026, 10, 20).getTime())
    for (const text of [
      '',
      'now',
      '2026',
      '2026-13-01',
      '2026-02-29',
      '2026-11-20 24:30',
      '2026-11-20 14',
      '1e9',
    ])
      assert.equal(parseMoment(text), undefined, text)
  })
})
