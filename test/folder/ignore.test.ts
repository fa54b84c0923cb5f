// The ignore rules: gitignore's language on checked paths, odd names, the rules file itself, and bounded memory.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parsePath } from '../../src/core/path.js'
import { IgnoreRules } from '../../src/folder/ignore.js'

const ignores = (rules: string, path: string, isDirectory = false): boolean =>
  IgnoreRules.parse(rules).ignores(parsePath(path), isDirectory)

const cases: readonly (readonly [
  name: string,
  rules: string,
  path: string,
  directory: boolean,
  ignored: boolean,
])[] = [
  ['a name matches at any depth', '*.tmp', 'a/b/c.tmp', false, true],
  ['names compare with case', '*.tmp', 'A.TMP', false, false],
  ['a leading slash anchors', '/build', 'src/build', true, false],
  ['a leading slash matches at the root', '/build', 'build', true, true],
  ['a trailing slash is for directories only', 'out/', 'out', false, false],
  ['a trailing slash matches a directory', 'out/', 'out', true, true],
  ['below an ignored directory', 'out/', 'out/deep/file', false, true],
  ['below an ignored directory nothing comes back', 'out/\n!out/keep', 'out/keep', false, true],
  ['a later rule brings back', '*.log\n!keep.log', 'x/keep.log', false, false],
  ['comments and blank lines say nothing', '# x\n\n  \n#y', 'x', false, false],
  ['a quoted hash is a name', '\\#x', '#x', false, true],
  ['a quoted exclamation mark is a name', '\\!x', '!x', false, true],
  ['CRLF line ends', 'a\r\nb\r\n', 'b', false, true],
  ['a byte order mark is dropped', '\uFEFFa', 'a', false, true],
  ['globstar in the middle', 'a/**/z', 'a/b/c/z', false, true],
  ['the rules file cannot be ignored', '*\n.shoalignore', '.shoalignore', false, false],
  ['another file of that name can', '*', 'sub/.shoalignore', false, true],
  ['everything', '*', 'x', false, true],
  ['name with a backslash', 'a\\\\b', 'a\\b', false, true],
  ['backslash is no separator', 'b', 'a\\b', false, false],
  ['name with a newline', 'a*b', 'a\nb', false, true],
  ['end anchor is not fooled by a trailing newline', 'a', 'a\n', false, false],
  ['name with trailing spaces', 'x\\ ', 'x ', false, true],
  ['trailing spaces in a rule do not count', 'x  ', 'x', false, true],
  ['leading dash', '-rf', '-rf', false, true],
  ['__proto__ as a rule', '__proto__', 'd/__proto__', false, true],
  ['__proto__ as a name', 'x', '__proto__', true, false],
  ['constructor below __proto__', 'x', '__proto__/constructor', false, false],
  ['leading dots', '..a', '..a', false, true],
  ['three dots', 'x', '...', true, false],
  ['name of spaces', 'x', ' ', false, false],
  ['BTSync style: recycle bin', '$RECYCLE.BIN\nThumbs.db', 'd/$RECYCLE.BIN/f', false, true],
  ['non-ASCII', 'größe?', 'größe1', false, true],
]

for (const [name, rules, path, directory, ignored] of cases)
  test(`ignore: ${name}`, () => assert.equal(ignores(rules, path, directory), ignored))

test('ignore: no rules ignore nothing and cost nothing', () => {
  for (const text of ['', '\n\n', '# only words\n']) {
    const rules = IgnoreRules.parse(text)
    assert.equal(rules.empty, true)
    assert.equal(rules, IgnoreRules.none)
    assert.equal(rules.ignores(parsePath('anything'), false), false)
  }
})

test('ignore: any text parses, any path gets an answer, and A7 names are no exception', () => {
  const name = fc
    .string({ unit: 'binary', minLength: 1, maxLength: 12 })
    .filter((text) => !/[/\0]/.test(text) && text !== '.' && text !== '..' && text !== '.shoal')
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'[]!^-*?\\/a:#{} ') })),
        {
          maxLength: 8,
        },
      ),
      fc.array(name, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      (lines, names, directory) => {
        const rules = IgnoreRules.parse(lines.join('\n'))
        const path = parsePath(names.join('/'))
        const first = rules.ignores(path, directory)
        assert.equal(rules.ignores(path, directory), first)
        if (names.length > 1 && rules.ignores(parsePath(names.slice(0, -1).join('/')), true))
          assert.equal(first, true)
      },
    ),
    { numRuns: 500 },
  )
})

test('ignore: answers stay right past the number that is remembered', () => {
  const rules = IgnoreRules.parse('*.tmp\nold/')
  for (let index = 0; index < 45_000; index++) {
    assert.equal(rules.ignores(parsePath(`d/${index}.tmp`), false), true)
    if (index % 9 === 0) assert.equal(rules.ignores(parsePath(`old/${index}`), false), true)
    if (index % 7 === 0) assert.equal(rules.ignores(parsePath(`d/${index}.txt`), false), false)
  }
})
