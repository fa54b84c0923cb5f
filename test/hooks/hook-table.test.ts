// The rows of hooks: what is pending, what a run is told of, and that a process that dies at any moment loses none of it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { parsePath } from '../../src/core/path.js'
import { HookTable, type LastRun } from '../../src/hooks/hook-table.js'
import { MemoryDatabase } from '../../src/store/memory.js'

const ID = Buffer.from('hook-id1')
const last = (result: LastRun['result'], count: number): LastRun => ({
  atMs: 1,
  durationMs: 2,
  result,
  exit: result === 'done' ? 0 : 1,
  signal: null,
  reason: null,
  count,
  output: '',
})
const names = (input: Buffer): string[] => input.toString().split('\0').slice(0, -1)

describe('rows of a hook', () => {
  it('tells a run of all that is pending, once each, in the order of their bytes', () => {
    const rows = new HookTable(new MemoryDatabase(), 's:').rows(ID)
    const added = ['b', 'a/z', 'a', 'ä', 'b', 'B'].map((path) => rows.add(parsePath(path)))
    assert.deepEqual(added, [true, true, true, true, false, true])
    const { input, count } = rows.begin('word')
    assert.deepEqual([names(input), count], [['B', 'a', 'a/z', 'b', 'ä'], 5])
  })

  it('has what changes during a run for the next', () => {
    const rows = new HookTable(new MemoryDatabase(), 's:').rows(ID)
    rows.add(parsePath('a'))
    rows.add(parsePath('b'))
    rows.begin('word')
    assert.deepEqual(
      [rows.add(parsePath('b')), rows.add(parsePath('b')), rows.add(parsePath('c'))],
      [true, false, true],
    )
    assert.equal(rows.end(last('done', 2)), 0)
    assert.deepEqual([rows.count, names(rows.begin('word').input)], [2, ['b', 'c']])
  })

  it('keeps several hooks apart, and finds those that are unknown', () => {
    const table = new HookTable(new MemoryDatabase(), 's:')
    const other = Buffer.alloc(8, 0xff)
    table.rows(ID).add(parsePath('a'))
    table.rows(other).add(parsePath('b'))
    assert.deepEqual(table.ids(), [ID, other])
    assert.deepEqual([...table.rows(other).pending()], ['b'])
    table.rows(ID).clear()
    assert.deepEqual(table.ids(), [other])
  })

  it('any history, with processes that die: what a run that did well was told of, and nothing else, is not told again', () => {
    const path = fc.constantFrom('a', 'b', 'c/d', 'c/e', 'f').map(parsePath)
    const event = fc.oneof(
      fc.record({ type: fc.constant('add' as const), path }),
      fc.record({
        type: fc.constantFrom(
          'begin' as const,
          'done' as const,
          'failed' as const,
          'die' as const,
          'sweep' as const,
        ),
      }),
    )
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const table = new HookTable(new MemoryDatabase(), 's:')
        let rows = table.rows(ID)
        const open = new Set<string>()
        let running: Set<string> | undefined
        for (const each of events) {
          if (each.type === 'add') {
            assert.equal(rows.add(each.path), !open.has(each.path))
            open.add(each.path)
          } else if (each.type === 'begin' && running === undefined && open.size > 0) {
            const { input, count } = rows.begin('word')
            assert.deepEqual([names(input), count], [[...open].sort(), open.size])
            running = new Set(open)
            open.clear()
          } else if (each.type === 'done' && running !== undefined) {
            rows.end(last('done', running.size))
            running = undefined
          } else if (each.type === 'failed' && running !== undefined) {
            const again = [...running].filter((name) => !open.has(name))
            assert.equal(rows.end(last('failed', running.size)), again.length)
            for (const name of again) open.add(name)
            running = undefined
          } else if (each.type === 'die') {
            // At any moment: in the middle of a run, or of a sweep.
            for (const name of running ?? []) open.add(name)
            running = undefined
            rows = table.rows(ID)
          } else if (each.type === 'sweep') rows.sweep()
          assert.equal(rows.count, open.size)
        }
        while (rows.sweep());
        assert.deepEqual(new Set(table.rows(ID).pending()), new Set([...open, ...(running ?? [])]))
      }),
      { numRuns: 500 },
    )
  })
})
