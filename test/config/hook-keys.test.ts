// on_change: what it reads as, and what every wrong value is told, with its place.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { ShoalError } from '../../src/core/error.js'
import type { HookSpec } from '../../src/core/hook.js'
import { formatSecret, writeSecretOf } from '../../src/core/secret.js'

const W = formatSecret(writeSecretOf(Buffer.alloc(32, 1)))
const FILE = '/etc/shoal/a.conf'
const LEAST = { match: 'postfix/**', run: ['systemctl', 'reload', 'postfix'] }

function textOf(on_change: unknown): string {
  const share = { secret: W, dir: '/srv/etc', on_change }
  return JSON.stringify({ storage_path: '/var/s', shared_folders: [share] }, null, 1)
}

function hookOf(hook: object): HookSpec {
  const { config, warnings } = parseConfig(textOf([hook]), FILE)
  assert.deepEqual(warnings, [])
  return config.shares[0]!.onChange[0]!
}

function refusal(on_change: unknown): string[] {
  try {
    parseConfig(textOf(on_change), FILE)
  } catch (error) {
    assert.ok(error instanceof ShoalError && error.code === 'CONFIG_INVALID', String(error))
    return error.message.split('\n').map((line) => {
      assert.match(line, /^\/etc\/shoal\/a\.conf:\d+:\d+: shared_folders\[0\]\.on_change/)
      return line.replace(/^\S+ shared_folders\[0\]\.on_change/, '')
    })
  }
  assert.fail(`was accepted: ${JSON.stringify(on_change)}`)
}

describe('on_change', () => {
  it('has defaults for all but what it is for and what it runs', () => {
    assert.deepEqual(hookOf(LEAST), {
      match: ['postfix/**'],
      run: ['systemctl', 'reload', 'postfix'],
      settleMs: 2000,
      timeoutMs: 30_000,
      retry: { times: 3, waitMs: 5000 },
      ownChanges: false,
      cwd: undefined,
      env: {},
    })
  })

  it('is warned of a program that lies in a shared folder, also where another one is given it', () => {
    const warned = (hook: object): string[] =>
      parseConfig(textOf([{ match: 'a', ...hook }]), FILE).warnings.map(({ key, message }) => {
        assert.match(message, /^is a program in a shared folder/)
        return key
      })
    const theirs = [
      ['/srv/etc/x'],
      ['sh', 'x'],
      ['/bin/bash', '--', 'x'],
      ['python3', '/srv/etc/d/x.py', 'y'],
    ]
    for (const run of theirs)
      assert.deepEqual(warned({ run }), ['shared_folders[0].on_change[0].run'], run[1])
    const ours = [
      ['rsync', 'x', '/srv/etc'],
      ['sh', '-c', 'cat x'],
      ['sh', '/opt/x', '/srv/etc'],
      ['cat', 'x'],
    ]
    for (const run of ours) assert.deepEqual(warned({ run }), [], run[0])
    assert.deepEqual(warned({ run: ['sh', 'x'], cwd: '/opt' }), [])
  })

  it('takes all of its keys; cwd is relative to the file', () => {
    const hook = {
      match: ['a', '!a/b'],
      run: ['/bin/sh', '-c', 'true | cat'],
      settle: '500ms',
      timeout: '2h',
      retry: { times: 0, wait: '1m' },
      own_changes: true,
      cwd: 'x',
      env: { MODE: 'fast' },
    }
    assert.deepEqual(hookOf(hook), {
      match: ['a', '!a/b'],
      run: ['/bin/sh', '-c', 'true | cat'],
      settleMs: 500,
      timeoutMs: 7_200_000,
      retry: { times: 0, waitMs: 60_000 },
      ownChanges: true,
      cwd: '/etc/shoal/x',
      env: { MODE: 'fast' },
    })
    assert.deepEqual(hookOf({ ...LEAST, retry: { times: 1 } }).retry, { times: 1, waitMs: 5000 })
  })

  const cases: [object, RegExp][] = [
    [
      { run: 'systemctl reload postfix' },
      /^\[0\]\.run: is a text of 24 characters, expected a list of a program and its arguments.*no shell$/,
    ],
    [{ run: [] }, /^\[0\]\.run/],
    [
      { run: [''] },
      /^\[0\]\.run\[0\]: is an empty text, expected the name of a program or its absolute path$/,
    ],
    [{ run: ['./deploy.sh'] }, /^\[0\]\.run\[0\]: .*expected the name of a program or its absolute path$/],
    [{ run: ['a', 3] }, /^\[0\]\.run\[1\]: is 3, expected a text$/],
    [{ run: ['a', 'b\0'] }, /^\[0\]\.run\[1\]: .*without NUL/],
    [{ match: [] }, /^\[0\]\.match: is empty/],
    [{ match: 3 }, /^\[0\]\.match: is 3, expected a pattern or a list of patterns$/],
    [{ match: ['a', '!'] }, /^\[0\]\.match\[1\]: .*expected a pattern in .gitignore's language$/],
    [
      { settle: 2 },
      /^\[0\]\.settle: is 2, expected a duration from "0ms" to "1h", such as "500ms", "2s", "1m" or "1h"$/,
    ],
    [{ settle: '2' }, /^\[0\]\.settle: is a text of 1 character, expected a duration/],
    [{ settle: '2 s' }, /^\[0\]\.settle: /],
    [{ settle: '-2s' }, /^\[0\]\.settle: /],
    [{ settle: '61m' }, /^\[0\]\.settle: /],
    [{ timeout: '0s' }, /^\[0\]\.timeout: .*from "100ms" to "24h"/],
    [{ retry: 3 }, /^\[0\]\.retry: is 3, expected \{"times": number, "wait": duration\}$/],
    [{ retry: { times: 101 } }, /^\[0\]\.retry\.times: is 101, expected a number from 0 to 100$/],
    [{ retry: { wait: '1h' } }, /^\[0\]\.retry\.wait: /],
    [{ own_changes: 'yes' }, /^\[0\]\.own_changes: is a text of 3 characters, expected true or false$/],
    [{ env: { 'A B': 'x' } }, /^\[0\]\.env: has a name/],
    [{ env: { SHOAL_HOOK: 'x' } }, /^\[0\]\.env: has a name/],
    [{ env: { A: 1 } }, /^\[0\]\.env\.A: is 1, expected a text$/],
  ]
  for (const [changes, expected] of cases)
    it(`refuses ${JSON.stringify(changes)}`, () => {
      const [line, ...more] = refusal([{ ...LEAST, ...changes }])
      assert.deepEqual(more, [])
      assert.match(line!, expected)
    })

  it('refuses what is no list, no object, or lacks what it needs', () => {
    assert.deepEqual(refusal({}), [': is an object, expected a list of objects with "match" and "run"'])
    assert.deepEqual(refusal(['x']), [
      '[0]: is a text of 1 character, expected an object with "match" and "run"',
    ])
    assert.deepEqual(
      refusal([{}]).map((line) => line.split(':')[0]),
      ['[0].match', '[0].run'],
    )
    assert.match(refusal(Array(65).fill(LEAST))[0]!, /longer than 64 hooks/)
  })

  it('warns of keys it does not know, at their place', () => {
    const { warnings } = parseConfig(textOf([{ ...LEAST, timout: '3s' }]), FILE)
    assert.deepEqual(
      warnings.map(({ key, message }) => [key, message]),
      [['shared_folders[0].on_change[0].timout', 'is not a key of this place and has no effect']],
    )
  })

  it('warns of keys of retry it does not know', () => {
    const { warnings } = parseConfig(textOf([LEAST, { ...LEAST, retry: { time: 0, wait: '1s' } }]), FILE)
    assert.deepEqual(
      warnings.map(({ key, message }) => [key, message]),
      [['shared_folders[0].on_change[1].retry.time', 'is not a key of this place and has no effect']],
    )
  })

  it('warns of patterns that only take out', () => {
    const { warnings } = parseConfig(textOf([{ ...LEAST, match: ['!a', '!b'] }]), FILE)
    assert.deepEqual(
      warnings.map(({ key }) => key),
      ['shared_folders[0].on_change[0].match'],
    )
    assert.match(warnings[0]!.message, /never runs/)
  })

  it('warns of a program that lies in a share', () => {
    const { warnings } = parseConfig(textOf([{ ...LEAST, run: ['/srv/etc/deploy'] }]), FILE)
    assert.deepEqual(
      warnings.map(({ key }) => key),
      ['shared_folders[0].on_change[0].run'],
    )
    assert.match(warnings[0]!.message, /everyone who can write there can have anything run here/)
  })
})
