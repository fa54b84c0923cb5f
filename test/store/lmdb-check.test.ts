// An index that is damaged where LMDB would end the process by a signal: an error that names the file and what to do.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openLmdb } from '../../src/store/lmdb.js'
import { PROBED_WELL } from '../../src/store/lmdb-check.js'

const PROBE = fileURLToPath(new URL('../../src/store/lmdb-probe.js', import.meta.url))
const LAST_PAGE = 144
const PAGE = 8192

describe('an index that is damaged', () => {
  let root: string
  let good: string
  let bytes: number

  before(async () => {
    root = fs.mkdtempSync(path.join(tmpdir(), 'shoal-index-'))
    good = path.join(root, 'good')
    fs.mkdirSync(good)
    const database = openLmdb(good)
    const table = database.table<Buffer>('x:rows')
    // Several commits, so that both pages that begin it are of one with rows.
    for (let n = 0; n < 5; n++)
      database.transaction(() => {
        for (let i = 0; i < 500; i++) table.put(Buffer.from(`key ${n} ${i}`), Buffer.alloc(300, i))
      })
    await database.close()
    bytes = fs.statSync(path.join(good, 'data.mdb')).size
  })
  after(() => fs.rmSync(root, { recursive: true, force: true }))

  let copies = 0
  /** A copy in which its file is changed. */
  const changed = (change: (file: string) => void): string => {
    const directory = path.join(root, `copy-${copies++}`)
    fs.cpSync(good, directory, { recursive: true })
    change(path.join(directory, 'data.mdb'))
    return directory
  }
  const isRefused = (directory: string, how: RegExp): void =>
    assert.throws(
      () => openLmdb(directory),
      ({ code, message }: Error & { code: string }) => {
        assert.equal(code, 'STORAGE_UNUSABLE')
        assert.match(message, how)
        assert.ok(message.includes(path.join(directory, 'data.mdb')))
        return /move the folder .* away and start the daemon again/.test(message)
      },
    )

  it('is refused where it is too short, wherever it was cut', () => {
    for (const length of [100, PAGE - 1, PAGE, PAGE + 100])
      isRefused(
        changed((file) => fs.truncateSync(file, length)),
        /does not begin as an index does/,
      )
    for (const length of [2 * PAGE, Math.floor(bytes / 2)])
      isRefused(
        changed((file) => fs.truncateSync(file, length)),
        new RegExp(`ends after ${length} of ${bytes} bytes`),
      )
  })

  it('is refused where something else stands at its beginning', () => {
    for (const at of [0, PAGE])
      isRefused(
        changed((file) => {
          const fd = fs.openSync(file, 'r+')
          fs.writeSync(fd, Buffer.alloc(PAGE, 0xa5), 0, PAGE, at)
          fs.closeSync(fd)
        }),
        /does not begin as an index does/,
      )
  })

  it('is none where its last pages are free and were never written, or nothing was', async () => {
    const short = changed((file) => {
      const fd = fs.openSync(file, 'r+')
      const last = Buffer.alloc(8)
      last.writeBigUInt64LE(BigInt(bytes / PAGE + 3))
      for (const page of [0, PAGE]) fs.writeSync(fd, last, 0, 8, page + LAST_PAGE)
      fs.closeSync(fd)
    })
    const empty = changed((file) => fs.truncateSync(file, 0))
    for (const [directory, rows] of [
      [short, 2500],
      [empty, 0],
      [path.join(root, 'new'), 0],
    ] as const) {
      fs.mkdirSync(directory, { recursive: true })
      const database = openLmdb(directory)
      const table = database.table<Buffer>('x:rows')
      assert.equal(table.range(Buffer.from('a'), Buffer.from('z')).length, rows)
      table.put(Buffer.from('one more'), Buffer.alloc(1))
      await database.close()
    }
  })

  it('that cannot be opened is told as it is', () => {
    const directory = changed((file) => {
      fs.rmSync(file)
      fs.mkdirSync(file)
    })
    assert.throws(() => openLmdb(directory), { code: 'STORAGE_UNUSABLE', message: /Is a directory/ })
  })

  it('is read to its end by the process that looks', () => {
    const probe = (directory: string): ReturnType<typeof spawnSync> =>
      spawnSync(process.execPath, [PROBE, directory])
    assert.equal(probe(good).status, PROBED_WELL)
    assert.notEqual(
      probe(changed((file) => fs.truncateSync(file, Math.floor(bytes / 2)))).status,
      PROBED_WELL,
    )
  })
})
