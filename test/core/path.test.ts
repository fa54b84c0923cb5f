import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  childPath,
  depthOf,
  MAX_PATH_BYTES,
  nameOf,
  parentOf,
  parsePath,
  pathFault,
} from '../../src/core/path.js'
import { Malformed } from '../../src/core/violation.js'
import { names, path } from '../support/arbitraries.js'

const long = (bytes: number): string => 'x'.repeat(bytes)
/** A path of exactly so many bytes, in parts of 200. */
const deep = (bytes: number): string => {
  const parts = 'y'
    .repeat(199)
    .concat('/')
    .repeat(Math.floor((bytes - 1) / 200))
  return parts + 'z'.repeat(bytes - parts.length)
}

const cases: { name: string; text: string; fault: RegExp | undefined }[] = [
  { name: 'a name', text: 'x', fault: undefined },
  { name: 'a nested name', text: 'a/b/c', fault: undefined },
  { name: 'names that only look special', text: '...', fault: undefined },
  { name: 'a hidden name', text: '.x/..y/z.', fault: undefined },
  { name: 'a backslash, a newline, a quote', text: 'a\\b\n"c"', fault: undefined },
  { name: '__proto__', text: '__proto__', fault: undefined },
  { name: 'a name like ours further down', text: 'a/.shoal', fault: undefined },
  { name: 'a name that begins like ours', text: '.shoalignore', fault: undefined },
  { name: 'NFD and NFC', text: 'e\u0301/\u00e9', fault: undefined },
  { name: 'nothing', text: '', fault: /empty path/ },
  { name: 'the parent', text: '..', fault: /"\.\."/ },
  { name: 'a climb', text: '../x', fault: /"\.\."/ },
  { name: 'a climb from inside', text: 'a/../../x', fault: /"\.\."/ },
  { name: 'a climb at the end', text: 'a/..', fault: /"\.\."/ },
  { name: 'this directory', text: './x', fault: /"\."/ },
  { name: 'an absolute path', text: '/etc/x', fault: /absolute/ },
  { name: 'an empty part', text: 'a//b', fault: /empty part/ },
  { name: 'a trailing slash', text: 'a/', fault: /empty part/ },
  { name: 'a NUL', text: 'a\0b', fault: /NUL/ },
  { name: 'a lone high surrogate', text: 'a\ud800', fault: /Unicode/ },
  { name: 'a lone low surrogate', text: '\udc00/b', fault: /Unicode/ },
  { name: 'our own folder', text: '.shoal', fault: /\.shoal/ },
  { name: 'in our own folder', text: '.shoal/marker.json', fault: /\.shoal/ },
  { name: 'a name of 255 bytes', text: long(255), fault: undefined },
  { name: 'a name of 256 bytes', text: long(256), fault: /255 bytes/ },
  { name: 'a name of 64 four-byte characters', text: '🐟'.repeat(64), fault: /255 bytes/ },
  { name: 'a name of 63 four-byte characters', text: '🐟'.repeat(63), fault: undefined },
  { name: 'a name of 128 two-byte characters', text: 'é'.repeat(128), fault: /255 bytes/ },
  { name: 'the longest path', text: deep(MAX_PATH_BYTES), fault: undefined },
  { name: 'a longer one', text: deep(MAX_PATH_BYTES + 1), fault: /3800 bytes/ },
]

describe('paths (A1)', () => {
  for (const { name, text, fault } of cases) {
    it(`${fault === undefined ? 'takes' : 'refuses'} ${name}`, () => {
      if (fault === undefined) {
        assert.equal(pathFault(text), undefined)
        assert.equal(parsePath(text), text)
        return
      }
      assert.match(pathFault(text) ?? '', fault)
      assert.throws(() => parsePath(text), Malformed)
    })
  }

  it('what is taken never leaves the root, by construction of the text', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        const fault = pathFault(text)
        const parts = text.split('/')
        const bad = parts.some((part) => part === '' || part === '.' || part === '..') || /\0/.test(text)
        if (bad) assert.notEqual(fault, undefined)
      }),
    )
  })

  it('parent, name and child fit together', () => {
    fc.assert(
      fc.property(fc.array(names, { minLength: 1, maxLength: 4 }), (parts) => {
        fc.pre(parts[0] !== '.shoal')
        const whole = path(parts.join('/'))
        assert.equal(pathFault(whole), undefined)
        assert.equal(childPath(parentOf(whole), nameOf(whole)), whole)
        assert.equal(depthOf(whole), parts.length - 1)
        assert.equal(parentOf(whole), parts.slice(0, -1).join('/'))
      }),
    )
  })

  it('a child that is no path is none', () => {
    assert.equal(childPath('', '.shoal'), undefined)
    assert.equal(childPath(path('a'), 'b\0'), undefined)
    assert.equal(childPath(path(deep(MAX_PATH_BYTES)), 'b'), undefined)
  })
})
