import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatEvent } from '../../src/cli/events-command.js'
import { formatJson } from '../../src/cli/text.js'
import { printableJson } from '../../src/core/printable-json.js'
import { makeLog } from '../../src/daemon/log.js'

/** A terminal's command, one that clears the screen in one character fewer, a turned text, a tag beyond 16 bits. */
const HOSTILE = 'a\u001b[2J\u009b2J\u007f\u202egnp.exe\u2028\u{e0041}b'
const UNSAFE = /(?!\n)[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

test('JSON for people at a terminal holds none of its commands, and says the same', () => {
  const value = { [HOSTILE]: [HOSTILE, 'ä 日本 😀'] }
  for (const text of [formatJson(value), printableJson(JSON.stringify(value))]) {
    assert.doesNotMatch(text, UNSAFE)
    assert.deepEqual(JSON.parse(text), value)
    assert.ok(text.includes('ä 日本 😀'))
  }
})

test('neither do lines of the log and of events', () => {
  const lines: string[] = []
  makeLog('info', { write: (line) => void lines.push(line) }).warn({ path: HOSTILE }, HOSTILE)
  assert.doesNotMatch(lines.join(''), UNSAFE)
  assert.equal((JSON.parse(lines[0]!) as { path: string }).path, HOSTILE)
  const at = '2026-01-01T00:00:00Z'
  const event = { id: 1, at, dir: HOSTILE, type: 'conflict', path: HOSTILE, copy: HOSTILE } as const
  assert.doesNotMatch(formatEvent(event), UNSAFE)
})
