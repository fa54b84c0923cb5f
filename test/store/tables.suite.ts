// The contract of tables.ts, run over every implementation: what LMDB does on disk, the tables in memory do alike, or
// the simulator would prove nothing about the daemon.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import {
  AFTER_LAST_KEY,
  childrenRange,
  type Database,
  FIRST_KEY,
  keyAfter,
  pathKey,
  pathOfKey,
  walk,
} from '../../src/store/tables.js'
import { names, path } from '../support/arbitraries.js'

/** Opens a fresh, empty database; `close` also removes what it left. */
export interface Opened {
  readonly database: Database
  close(): Promise<void>
}

export function tablesSuite(name: string, open: () => Promise<Opened>): void {
  const using = async (body: (database: Database) => void): Promise<void> => {
    const { database, close } = await open()
    try {
      body(database)
    } finally {
      await close()
    }
  }

  describe(`tables: ${name}`, () => {
    it('keep what was put, by key and by table', () =>
      using((database) => {
        const one = database.table<number>('one')
        const two = database.table<string>('two')
        database.transaction(() => {
          one.put(Buffer.from('a'), 1)
          two.put(Buffer.from('a'), 'two')
          one.put(Buffer.from('b'), 2)
          one.put(Buffer.from('b'), 3)
          one.remove(Buffer.from('missing'))
        })
        assert.equal(one.get(Buffer.from('a')), 1)
        assert.equal(two.get(Buffer.from('a')), 'two')
        assert.equal(one.get(Buffer.from('b')), 3)
        assert.equal(one.get(Buffer.from('c')), undefined)
        assert.equal(database.table<number>('one').get(Buffer.from('b')), 3)
        one.remove(Buffer.from('b'))
        assert.equal(one.get(Buffer.from('b')), undefined)
      }))

    it('are emptied by the start of their names, and can be filled again', () =>
      using((database) => {
        const key = Buffer.from('k')
        const names = ['one:a', 'one:b', 'other:a']
        for (const each of names) database.table<string>(each).put(key, each)
        const [a] = names.map((each) => database.table<string>(each))
        database.clear('one:')
        assert.deepEqual(
          names.map((each) => database.table<string>(each).get(key)),
          [undefined, undefined, 'other:a'],
        )
        assert.deepEqual([...walk(a!)], [])
        a!.put(key, 'again')
        assert.equal(database.table<string>('one:a').get(key), 'again')
        database.clear('nobody')
        assert.equal(a!.get(key), 'again')
      }))

    it('keep keys in byte order, whatever the order of putting', () =>
      using((database) => {
        const keys = fc.uniqueArray(
          fc.uint8Array({ minLength: 1, maxLength: 6 }).map((bytes) => Buffer.from(bytes)),
          { minLength: 1, maxLength: 300, size: 'max', selector: (key) => key.toString('hex') },
        )
        let run = 0
        fc.assert(
          fc.property(keys, (list) => {
            const table = database.table<number>(`order ${run++ % 50}`)
            database.transaction(() => {
              for (const { key } of [...walk(table)]) table.remove(key)
              for (const [i, key] of list.entries()) table.put(key, i)
            })
            const sorted = [...list].sort(Buffer.compare)
            assert.deepEqual(
              [...walk(table, 7)].map(({ key }) => Buffer.from(key)),
              sorted,
            )
            const [start, end] = [sorted[0]!, sorted.at(-1)!]
            assert.deepEqual(
              table.range(start, end).map(({ key }) => Buffer.from(key)),
              sorted.slice(0, -1),
            )
            assert.deepEqual(
              table.range(keyAfter(start), AFTER_LAST_KEY, 2).map(({ key }) => Buffer.from(key)),
              sorted.slice(1, 3),
            )
          }),
          { numRuns: 60 },
        )
      }))

    it('range from the first key to behind the last, with limits', () =>
      using((database) => {
        const table = database.table<number>('t')
        database.transaction(() => {
          for (let i = 0; i < 10; i++) table.put(Buffer.of(i), i)
          table.put(Buffer.alloc(12, 0xff), 10)
        })
        assert.equal(table.range(FIRST_KEY, AFTER_LAST_KEY).length, 11)
        assert.deepEqual(
          table.range(Buffer.of(3), Buffer.of(6)).map(({ value }) => value),
          [3, 4, 5],
        )
        assert.equal(table.range(Buffer.of(3), Buffer.of(6), 0).length, 0)
        assert.equal(table.range(Buffer.of(6), Buffer.of(3)).length, 0)
      }))

    it('rows of a range are those of the time of the call', () =>
      using((database) => {
        const table = database.table<number>('t')
        database.transaction(() => {
          for (let i = 0; i < 10; i++) table.put(Buffer.of(i), i)
          const rows = table.range(FIRST_KEY, AFTER_LAST_KEY)
          for (const { key } of rows) table.remove(key)
          assert.equal(rows.length, 10)
          assert.equal(table.range(FIRST_KEY, AFTER_LAST_KEY).length, 0)
        })
      }))

    it('a transaction sees its own changes, and is undone when it throws, over all tables', () =>
      using((database) => {
        const one = database.table<number>('one')
        const two = database.table<number>('two')
        database.transaction(() => {
          one.put(Buffer.from('a'), 1)
          two.put(Buffer.from('a'), 1)
        })
        assert.throws(
          () =>
            database.transaction(() => {
              one.put(Buffer.from('a'), 2)
              one.put(Buffer.from('b'), 2)
              two.remove(Buffer.from('a'))
              assert.equal(one.get(Buffer.from('a')), 2)
              assert.equal(two.get(Buffer.from('a')), undefined)
              assert.equal(one.range(FIRST_KEY, AFTER_LAST_KEY).length, 2)
              throw new Error('crash')
            }),
          /crash/,
        )
        assert.equal(one.get(Buffer.from('a')), 1)
        assert.equal(one.get(Buffer.from('b')), undefined)
        assert.equal(two.get(Buffer.from('a')), 1)
        assert.equal(
          database.transaction(() => 'answer'),
          'answer',
        )
      }))

    it('one transaction inside another belongs to it', () =>
      using((database) => {
        const table = database.table<number>('t')
        assert.throws(() =>
          database.transaction(() => {
            database.transaction(() => table.put(Buffer.from('a'), 1))
            throw new Error('crash')
          }),
        )
        assert.equal(table.get(Buffer.from('a')), undefined)
      }))

    it('values are kept by copy, buffers stay buffers, numbers keep all their digits', () =>
      using((database) => {
        const table = database.table<unknown>('t')
        const bytes = Buffer.from('before')
        const value = {
          bytes,
          list: [1, [-1, bytes], 0.25],
          large: 2 ** 53 - 1,
          micros: 1_700_000_000_123_456,
          negative: -(2 ** 52),
          text: 'é 🐟 \0',
          flag: false,
        }
        const kept = structuredClone({ ...value, bytes: undefined, list: undefined })
        database.transaction(() => table.put(Buffer.from('a'), value))
        bytes.write('after!')
        const read = table.get(Buffer.from('a')) as typeof value
        assert.ok(Buffer.isBuffer(read.bytes))
        assert.equal(read.bytes.toString(), 'before')
        assert.equal((read.list[1] as [number, Buffer])[1].toString(), 'before')
        assert.deepEqual({ ...read, bytes: undefined, list: undefined }, kept)
        read.bytes.write('later!')
        for (let i = 0; i < 200; i++) table.put(Buffer.from(`other ${i}`), { bytes: Buffer.alloc(100, i) })
        assert.equal((table.get(Buffer.from('a')) as typeof value).bytes.toString(), 'before')
        assert.equal(read.bytes.toString(), 'later!')
      }))

    it('values of every small shape come back the same', () =>
      using((database) => {
        const table = database.table<unknown>('t')
        const shapes = [
          0,
          1,
          '',
          'x',
          [],
          [[]],
          Buffer.alloc(0),
          Buffer.alloc(40_000, 7),
          { a: 1 },
          [0, '', Buffer.of(1)],
        ]
        database.transaction(() => {
          for (const [i, shape] of shapes.entries()) table.put(Buffer.of(i), shape)
        })
        for (const [i, shape] of shapes.entries()) assert.deepEqual(table.get(Buffer.of(i)), shape)
      }))

    it('keys of 3,900 bytes', () =>
      using((database) => {
        const table = database.table<number>('t')
        const long = (last: number): Buffer => Buffer.concat([Buffer.alloc(3899, 0x61), Buffer.of(last)])
        database.transaction(() => {
          table.put(long(2), 2)
          table.put(long(1), 1)
        })
        assert.deepEqual(
          [...walk(table)].map(({ value }) => value),
          [1, 2],
        )
        assert.equal(table.get(long(2)), 2)
      }))

    it('paths: every directory before what lies in it, children in one range, keys lead back', () =>
      using((database) => {
        const table = database.table<number>('t')
        fc.assert(
          fc.property(
            fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { maxLength: 60, size: 'max' }),
            (list) => {
              const paths = new Set(
                list.flatMap((parts) => parts.map((_, i) => parts.slice(0, i + 1).join('/'))),
              )
              database.transaction(() => {
                for (const { key } of [...walk(table)]) table.remove(key)
                for (const one of paths) table.put(pathKey(path(one)), 1)
              })
              const walked = [...walk(table)].map(({ key }) => pathOfKey(key))
              assert.deepEqual(new Set(walked), paths)
              const seen = new Set<string>([''])
              for (const one of walked) {
                const slash = one.lastIndexOf('/')
                assert.ok(seen.has(slash < 0 ? '' : one.slice(0, slash)))
                seen.add(one)
              }
              for (const directory of ['', ...walked] as (typeof walked)[number][]) {
                const { start, end } = childrenRange(directory)
                const children = table.range(start, end).map(({ key }) => pathOfKey(key))
                const prefix = directory === '' ? '' : `${directory}/`
                const expected = walked.filter(
                  (one) => one.startsWith(prefix) && !one.slice(prefix.length).includes('/'),
                )
                assert.deepEqual(new Set(children), new Set(expected))
              }
            },
          ),
          { numRuns: 40 },
        )
      }))
  })
}
