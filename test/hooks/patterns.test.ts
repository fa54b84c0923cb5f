import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parsePath } from '../../src/core/path.js'
import { Patterns, patternFault } from '../../src/hooks/patterns.js'

describe('patterns of a hook', () => {
  const cases: { readonly match: string[]; readonly yes: string[]; readonly no: string[] }[] = [
    {
      match: ['postfix/**'],
      yes: ['postfix/main.cf', 'postfix/a/b'],
      no: ['postfix', 'x/postfix/a', 'postfi/x'],
    },
    { match: ['postfix/'], yes: ['postfix', 'postfix/main.cf', 'x/postfix/a'], no: ['postfixes/a'] },
    { match: ['*.conf'], yes: ['a.conf', 'x/y.conf', 'd.conf/inside'], no: ['a.conf.bak'] },
    { match: ['/*.conf'], yes: ['a.conf'], no: ['x/y.conf'] },
    { match: ['**'], yes: ['a', 'a/b', '.shoalignore'], no: [] },
    { match: ['a', 'b'], yes: ['a', 'b', 'x/b/c'], no: ['c'] },
    // Unlike in gitignore, what lies below a matched directory can be taken out.
    { match: ['etc/**', '!etc/tmp'], yes: ['etc/x'], no: ['etc/tmp', 'etc/tmp/x', 'etc/tmp/y/z'] },
    { match: ['!etc/tmp', 'etc/**'], yes: ['etc/tmp/x'], no: ['x'] },
    { match: ['etc/**', '!*.swp', 'etc/keep.swp'], yes: ['etc/a', 'etc/keep.swp'], no: ['etc/a.swp'] },
    { match: ['\\!odd', '\\#odd'], yes: ['!odd', '#odd'], no: ['odd'] },
    { match: ['Case'], yes: ['Case'], no: ['case'] },
    { match: ['ä*'], yes: ['äb'], no: ['a'] },
  ]
  for (const { match, yes, no } of cases)
    it(match.join(' '), () => {
      const patterns = new Patterns(match)
      const matched = [...yes, ...no].filter((path) => patterns.match(parsePath(path)))
      assert.deepEqual(matched, yes)
    })

  it('answers the same after very many questions', () => {
    const patterns = new Patterns(['a/**', '!a/b'])
    for (let i = 0; i < 50_000; i++) assert.ok(patterns.match(parsePath(`a/${i}`)))
    assert.ok(!patterns.match(parsePath('a/b/c')))
  })

  it('says what is no pattern', () => {
    for (const text of ['', '!', ' ', '#x', '!#x', '/', 'a\nb'])
      assert.notEqual(patternFault(text), undefined, text)
    for (const text of ['a', '!a', '\\#x', 'a b', '/a', '[ab]'])
      assert.equal(patternFault(text), undefined, text)
  })
})
