import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceKeysOf } from '../../src/core/device.js'
import { deriveSecret, formatSecret, keysOf, writeSecretOf } from '../../src/core/secret.js'
import { redactSecrets } from '../../src/core/secret-redact.js'
import { makeLog } from '../../src/daemon/log.js'
import type { Log } from '../../src/ports/log.js'

const write = writeSecretOf(Buffer.alloc(32, 1))
const text = formatSecret(write)
const read = formatSecret(deriveSecret(write, 'read'))

function logged(act: (log: Log) => void): Record<string, unknown>[] {
  const lines: string[] = []
  act(makeLog('debug', { write: (line) => lines.push(line) }))
  for (const line of lines) assert.ok(!line.includes(text.slice(10, 30)), line)
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('makeLog', () => {
  it('writes one JSON object a line, with the fields of the child', () => {
    const [line, ...more] = logged((log) => {
      log.child({ share: 1 }).info({ port: 5 }, 'listening')
      log.trace({}, 'below the level')
    })
    assert.deepEqual(more, [])
    assert.match(String(line?.time), /^\d{4}-\d\d-\d\dT/)
    assert.deepEqual({ ...line, time: 0 }, { level: 'info', time: 0, share: 1, port: 5, msg: 'listening' })
  })

  it('keeps what an error says, its code and its stack', () => {
    const [line] = logged((log) => log.warn({ err: new RangeError('no such thing') }, 'went wrong'))
    const { type, message } = line!.err as Record<string, unknown>
    assert.deepEqual([type, message], ['RangeError', 'no such thing'])
  })

  it('cuts secrets out of messages, fields, errors and bindings', () => {
    const lines = logged((log) => {
      log.info({ line: `x ${text} y` }, `read ${text}`)
      log.error({ err: new Error(`bad ${text}`) }, 'failed')
      log.child({ from: text }).info({ deep: { er: [text] } }, 'child')
      log.info({ [text]: 1 }, 'as a key')
    })
    assert.equal(lines[0]?.msg, 'read shoalw1[secret]')
    assert.equal(lines[0]?.line, 'x shoalw1[secret] y')
  })

  it('blanks keys by name and prints no bytes', () => {
    const keys = keysOf(write)
    const [line] = logged((log) =>
      log.info(
        {
          ...keys,
          ...keys.read,
          secretKey: 'x',
          peer: { secretKey: 'y', port: 1 },
          id: Buffer.alloc(32),
          write,
          keys,
          device: deviceKeysOf(Buffer.alloc(32)),
        },
        'all of it',
      ),
    )
    assert.deepEqual(
      { ...line, level: 0, time: 0, msg: 0, shareId: 0 },
      {
        ...{
          level: 0,
          time: 0,
          msg: 0,
          shareId: 0,
          grade: 'write',
          publicKey: '[32 bytes]',
          id: '[32 bytes]',
        },
        ...{ topic: '[key]', authKey: '[key]', beaconKey: '[key]', blindStateKey: '[key]' },
        ...{ feedBlockKey: '[key]', sivKey: '[key]' },
        ...{ pieceKey: '[key]', entryKey: '[key]', stateKey: '[key]', secretKey: '[key]' },
        ...{ peer: { secretKey: '[key]', port: 1 }, read: '[read keys]', write: '[write secret]' },
        ...{ relay: '[relay keys]' },
        ...{ keys: '[keys of a write secret]', device: '[device keys]' },
      },
    )
  })
})

describe('redactSecrets (K2)', () => {
  const cases: [string, string][] = [
    [`a ${text}, ${read}.`, 'a shoalw1[secret], shoalr1[secret].'],
    [text.toUpperCase(), 'SHOALW1[secret]'],
    [text.slice(0, 30), 'shoalw1[secret]'],
    ['AFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJEN', 'A[secret]'],
    [`"E${'ABCDEFGH'.repeat(8)}"`, '"E[secret]"'],
    ['the code p50kh-cr62t-p5sx8-s4fd7-xmf8y-5kqv0.', 'the code p[invite].'],
    ['P50KH CR62T P5SX8 S4FD7 XMF8Y 5KQVO', 'P[invite]'],
    ['p50kh-cr62t-p5sx8', 'p50kh-cr62t-p5sx8'],
    ['0d1f6be0-7a52-4c34-8818-f0aa5be36d27', '0d1f6be0-7a52-4c34-8818-f0aa5be36d27'],
    ['shoalw1 is a prefix', 'shoalw1 is a prefix'],
    ['the share is in sync', 'the share is in sync'],
    ['BFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJE', 'BFIVB7YUZ4RSGTBI4Z2VIA2Y2RVF3AJE'],
    ['0123456789abcdef'.repeat(4), '0123456789abcdef'.repeat(4)],
  ]
  for (const [given, expected] of cases)
    it(`${given.slice(0, 8)}... of ${given.length} characters`, () => {
      assert.equal(redactSecrets(given), expected)
    })
})
