import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { readTags, type Tags } from '../../src/instance/tags.js'

function tagsOf(text: string): Tags {
  const result = readTags(text)
  assert.ok(result.type === 'ok', JSON.stringify(result))
  return result.tags
}

/** "line:column: key: message" of each. */
function faultsOf(text: string): string[] {
  const result = readTags(text)
  assert.ok(result.type === 'failed', 'the text was accepted')
  return result.problems.map(
    ({ position, key, message }) => `${position.line}:${position.column}: ${key}: ${message}`,
  )
}

describe('readTags', () => {
  it('reads every tag, with its place', () => {
    const text = [
      '//!/usr/sbin/btsync-daemon --config',
      '// DAEMON_UID=www-data',
      '  //DAEMON_GID = adm  ',
      '{ /* DAEMON_UMASK=0027 */',
      '  "a": 1, // DAEMON_NICE=-5',
      '/*',
      ' * DAEMON_BIND=10.0.0.1',
      ' */',
      '}',
    ].join('\r\n')
    assert.deepEqual(tagsOf(text), {
      uid: { value: 'www-data', position: { line: 2, column: 4 } },
      gid: { value: 'adm', position: { line: 3, column: 5 } },
      umask: { value: 0o027, position: { line: 4, column: 6 } },
      nice: { value: -5, position: { line: 5, column: 14 } },
      bind: { value: '10.0.0.1', position: { line: 7, column: 4 } },
    })
  })

  it('sees a group without a user', () => {
    assert.deepEqual(tagsOf('// DAEMON_GID=adm\n{}'), {
      gid: { value: 'adm', position: { line: 1, column: 4 } },
    })
  })

  it('leaves texts alone, and the explanations of the old samples', () => {
    const text = [
      '{ "dir": "// DAEMON_UID=root", "b": "/* DAEMON_UID=root */",',
      '  "c": "\\" // DAEMON_UID=root" }',
      '// DAEMON_UID:      A uid for supplying the user',
      'DAEMON_UID=outside',
    ].join('\n')
    assert.deepEqual(tagsOf(text), {})
  })

  it('takes numbers, dots and capitals: tags are for what a file name cannot say', () => {
    for (const user of ['0', '1000', 'Web', 'anna.b', 'HOME\\anna', 'a@b.example', 'host$'])
      assert.equal(tagsOf(`// DAEMON_UID=${user}`).uid?.value, user)
  })

  it('notes tags that have no effect', () => {
    const result = readTags('// DAEMON_DEBUG=FFFF\n// LOG_PATH=/var/log/x')
    assert.ok(result.type === 'ok')
    assert.deepEqual(result.tags, {})
    assert.deepEqual(
      result.notes.map(({ position, key }) => [position.line, key]),
      [
        [1, 'DAEMON_DEBUG'],
        [2, 'LOG_PATH'],
      ],
    )
  })

  for (const [text, fault] of [
    ['{}\n// DAEMON_UID=', /^2:4: DAEMON_UID: has no sound value, expected the name or number of a user/],
    ['// DAEMON_UID=a b', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_UID=a:b', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_UID=-a', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_UID="a"', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_UID=4294967295', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_GID=../a', /^1:4: DAEMON_GID: has no sound value/],
    ['// DAEMON_UMASK=8', /^1:4: DAEMON_UMASK: .*octal/],
    ['// DAEMON_UMASK=0700', /^1:4: DAEMON_UMASK: .*the owner needs/],
    ['// DAEMON_UMASK=00022', /^1:4: DAEMON_UMASK: .*octal/],
    ['// DAEMON_NICE=20', /^1:4: DAEMON_NICE: .*-20 to 19/],
    ['// DAEMON_NICE=-21', /^1:4: DAEMON_NICE: .*-20 to 19/],
    ['// DAEMON_NICE=1.5', /^1:4: DAEMON_NICE: .*-20 to 19/],
    ['// DAEMON_BIND=::1', /^1:4: DAEMON_BIND: .*listen_host/],
    ['// DAEMON_BIND=localhost', /^1:4: DAEMON_BIND: .*IPv4/],
    ['// DAEMON_USER=www-data', /^1:4: DAEMON_USER: is no tag, expected one of DAEMON_UID/],
    ['// daemon_uid=www-data', /^1:4: DAEMON_UID: is not all in capital letters/],
    ['// runs with DAEMON_UID=www-data', /^1:14: DAEMON_UID: stands in the middle of a comment/],
    ['// DAEMON_UID=a, DAEMON_GID=b', /^1:4: DAEMON_UID: has no sound value/],
    ['// DAEMON_UID=a\n/*\nDAEMON_UID=a */', /^3:1: DAEMON_UID: is given twice, first in line 1/],
  ] as const)
    it(`refuses ${JSON.stringify(text)}`, () => assert.match(faultsOf(text).join('\n'), fault))

  it('never repeats a value, which may be a secret at the wrong place', () => {
    assert.doesNotMatch(faultsOf('// DAEMON_NICE=hunter2\n// DAEMON_UID=hunter2 x').join(), /hunter2/)
  })

  it('reads any text', () => {
    const piece = fc.constantFrom('//', '/*', '*/', '"', '\\', '\n', '\r', ' ', 'DAEMON_UID=', 'a', '{', '=')
    const texts = fc.oneof(
      fc.string(),
      fc.array(piece).map((pieces) => pieces.join('')),
    )
    fc.assert(
      fc.property(texts, (text) => {
        const result = readTags(text)
        if (result.type === 'failed') assert.ok(result.problems.length > 0)
        else if (result.tags.uid !== undefined) assert.match(text, /DAEMON_UID/)
      }),
    )
  })
})
