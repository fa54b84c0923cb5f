// The pieces that screens are made of: texts cut to columns, bars, sparklines, columns of tables, the theme.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { chart } from '../../src/dashboard/model/chart.js'
import { bar, duration, grouped, percent, sparkline } from '../../src/dashboard/model/format.js'
import {
  cut,
  cutLine,
  cutStart,
  ends,
  lineWidth,
  padLine,
  span,
  textOf,
  widthOf,
} from '../../src/dashboard/model/span.js'
import { type Column, placeColumns, sorted, windowStart } from '../../src/dashboard/model/table.js'
import { lookOf, themeOf } from '../../src/dashboard/view/theme.js'

describe('texts', () => {
  it('are never wider than they may be, whatever is in them', () => {
    const text = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.constant('日本の山👩‍👩‍👧e\u0301'))
    fc.assert(
      fc.property(text, fc.nat(40), (words, width) => {
        assert.ok(widthOf(cut(words, width)) <= width)
        assert.ok(widthOf(cutStart(words, width)) <= width)
        assert.equal(lineWidth(padLine([span(words), span('x', 'bad')], width)), width)
        assert.ok(lineWidth(cutLine([span(words), span(words)], width)) <= width)
        assert.ok(lineWidth(ends([span(words)], [span('end')], width + 4)) <= width + 4)
      }),
    )
  })

  it('say what was left out, and nothing where all fits', () => {
    assert.equal(cut('photos', 6), 'photos')
    assert.equal(cut('photos', 5), 'phot…')
    assert.equal(cutStart('a/b/c.jpg', 6), '…c.jpg')
    assert.equal(cut('日本', 3), '日…')
    assert.equal(textOf(cutLine([span('ab'), span('cd')], 3)), 'ab…')
    assert.equal(textOf(cutLine([span('ab'), span('cd')], 2)), 'a…')
    assert.equal(textOf(cutLine([span('ab'), span('cd')], 4)), 'abcd')
  })
})

describe('drawings', () => {
  it('fill exactly their columns', () => {
    fc.assert(
      fc.property(
        fc.float({ min: -1, max: 2, noNaN: true }),
        fc.integer({ min: 1, max: 60 }),
        (part, width) => {
          assert.equal(textOf(bar(part, width)).length, width)
        },
      ),
    )
    fc.assert(
      fc.property(
        fc.array(fc.nat()),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (values, width, height) => {
          assert.equal(sparkline(values, width).length, width)
          const lines = chart(values, width, height)
          assert.deepEqual([lines.length, ...new Set(lines.map((line) => line.length))], [height, width])
        },
      ),
    )
  })

  it('show the newest at the right, and the least of what moves', () => {
    assert.equal(sparkline([0, 1, 50, 100], 6), '   ▁▅█')
    assert.equal(textOf(bar(0.5, 4)), '██··')
    assert.equal(textOf(bar(1, 4)), '████')
    assert.deepEqual(chart([0, 1, 100, 100], 4, 2), ['  ██', ' ▁██'])
  })

  it('never call it whole before it is, nor nothing when it has begun', () => {
    assert.deepEqual(
      [percent(0, 10), percent(1, 1e6), percent(999_999, 1e6), percent(5, 5), percent(0, 0)],
      [0, 1, 99, 100, 100],
    )
    assert.equal(duration(400), '1s')
    assert.equal(grouped(1_234_567), '1,234,567')
    assert.equal(grouped(123), '123')
  })
})

describe('tables', () => {
  const columns: readonly Column<number>[] = [
    { id: 'a', title: 'A', width: 10, weight: 1, rank: 0, cell: String },
    { id: 'b', title: 'B', width: 5, rank: 2, cell: String, sortBy: (n) => n },
    { id: 'c', title: 'C', width: 5, rank: 1, weight: 1, most: 7, cell: String, sortBy: (n) => `${n}` },
  ]
  const widths = (room: number): (string | number)[] =>
    placeColumns(columns, room).flatMap(({ column, width }) => [column.id, width])

  it('leave out what matters least, and share what is left', () => {
    assert.deepEqual(widths(22), ['a', 10, 'b', 5, 'c', 5])
    assert.deepEqual(widths(21), ['a', 13, 'c', 7])
    assert.deepEqual(widths(12), ['a', 12])
    assert.deepEqual(widths(40), ['a', 26, 'b', 5, 'c', 7])
  })

  it('sort by numbers as numbers, by texts as texts, and keep the order of equals', () => {
    assert.deepEqual(sorted([10, 9, 1], columns, { column: 'b', descending: false }), [1, 9, 10])
    assert.deepEqual(sorted([10, 9, 1], columns, { column: 'c', descending: true }), [9, 10, 1])
    assert.deepEqual(sorted([3, 1, 2], columns, { column: 'a', descending: true }), [3, 1, 2])
  })

  it('always have the chosen one in the window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 500 }),
        fc.nat(499),
        fc.integer({ min: 1, max: 60 }),
        (count, at, lines) => {
          const chosen = Math.min(at, count - 1)
          const start = windowStart(count, chosen, lines)
          assert.ok(start >= 0 && start <= chosen && chosen < start + lines)
          assert.ok(count <= lines ? start === 0 : start + lines <= count)
        },
      ),
    )
  })
})

describe('the theme', () => {
  it('has no colour with NO_COLOR, the terminal’s own with 16, and others with 256', () => {
    const style = { tone: 'bad', bold: true } as const
    assert.deepEqual(lookOf(themeOf({ NO_COLOR: '1', TERM: 'xterm-256color' }), style), { bold: true })
    assert.deepEqual(lookOf(themeOf({ TERM: 'xterm' }), style), { color: 'red', bold: true })
    assert.deepEqual(lookOf(themeOf({ TERM: 'xterm-256color', NO_COLOR: '' }), style), {
      ...{ color: 'ansi256(203)', bold: true },
    })
  })
})
