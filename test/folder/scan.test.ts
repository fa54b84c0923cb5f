// Listing directories and confirming absences, on real directories; failures that a disk seldom gives are injected.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { mock, test } from 'node:test'
import { MAX_PATH_BYTES, OWN_DIR, type RelPath } from '../../src/core/path.js'
import { statOf, unpackStat } from '../../src/core/stat.js'
import { FolderPool } from '../../src/folder/pool.js'
import { SafeRoot } from '../../src/folder/safefs.js'
import { confirmMissingBatch, type ScannedDirectory, scanBatch } from '../../src/folder/scan.js'
import { beneathWhenWorth } from '../../src/ports/openat2.js'

async function withRoot(body: (root: string) => void | Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-scan-'))
  try {
    await body(root)
  } finally {
    mock.restoreAll()
    fs.rmSync(root, { recursive: true, force: true })
  }
}

const scan = (root: string, ...directories: string[]): ScannedDirectory[] =>
  scanBatch({ root, directories: directories as RelPath[], expectRoot: undefined }).results
const scanOne = (root: string, directory = ''): ScannedDirectory => scan(root, directory)[0]!
const missing = (root: string, ...paths: string[]): boolean[] =>
  confirmMissingBatch({ root, paths, expectRoot: undefined })
const failing = (code: string): Error => Object.assign(new Error(`${code}: injected`), { code })

test('a listing has every name with its stat, and the directory itself', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'd/sub'), { recursive: true })
    fs.writeFileSync(path.join(root, 'd/file'), 'hello', { mode: 0o640 })
    fs.symlinkSync('nowhere', path.join(root, 'd/link'))
    fs.mkdirSync(path.join(root, 'empty'))
    const [listing, empty, top] = scan(root, 'd', 'empty', '')
    assert.equal(listing!.status, 'ok')
    assert.deepEqual([...listing!.names].sort(), ['file', 'link', 'sub'])
    for (const [index, name] of listing!.names.entries())
      assert.deepEqual(unpackStat(listing!.stats, index), statOf(fs.lstatSync(path.join(root, 'd', name))))
    assert.deepEqual(listing!.stat, statOf(fs.lstatSync(path.join(root, 'd'))))
    assert.deepEqual([empty!.status, empty!.names, empty!.stats.length], ['ok', [], 0])
    assert.deepEqual([...top!.names].sort(), ['d', 'empty'])
  }))

test('a batch that has become large leaves its other directories for the next, and always reads one', () =>
  withRoot((root) => {
    for (const place of ['a/1', 'a/2', 'b/1', 'c/1'])
      fs.mkdirSync(path.join(root, place), { recursive: true })
    const directories = ['a', 'b', 'gone', 'c'] as RelPath[]
    const statuses = (mostNames: number): string[] =>
      scanBatch({ root, directories, expectRoot: undefined, mostNames }).results.map(({ status }) => status)
    assert.deepEqual(statuses(1), ['ok', 'left', 'left', 'left'])
    assert.deepEqual(statuses(2), ['ok', 'left', 'left', 'left'])
    assert.deepEqual(statuses(3), ['ok', 'ok', 'left', 'left'])
    assert.deepEqual(statuses(4), ['ok', 'ok', 'gone', 'ok'])
  }))

test('.shoal is not listed at the root, and is an ordinary name elsewhere', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, OWN_DIR))
    fs.mkdirSync(path.join(root, 'd', OWN_DIR), { recursive: true })
    assert.deepEqual(scanOne(root).names, ['d'])
    assert.deepEqual(scanOne(root, 'd').names, [OWN_DIR])
  }))

test('A7: fifos, sockets and names that are not UTF-8 are reported, the rest is listed', () =>
  withRoot(async (root) => {
    assert.equal(spawnSync('mkfifo', [path.join(root, 'fifo')]).status, 0)
    const server = net.createServer().listen(path.join(root, 'socket'))
    await once(server, 'listening')
    const bad = Buffer.from([0x62, 0xff, 0x64])
    fs.writeFileSync(Buffer.concat([Buffer.from(`${root}/`), bad]), '')
    // A name that holds the replacement character itself, and one that begins with a byte order mark, are texts.
    for (const name of ['a\uFFFDb', '\uFEFFmark', 'plain']) fs.writeFileSync(path.join(root, name), '')
    const listing = scanOne(root)
    server.close()
    assert.equal(listing.status, 'ok')
    assert.deepEqual([...listing.names].sort(), ['a\uFFFDb', 'plain', '\uFEFFmark'].sort())
    assert.equal(listing.stats.length % listing.names.length, 0)
    assert.deepEqual(
      listing.faults.map(({ name, code }) => [name, code]).sort(),
      [
        ['b\uFFFDd', 'NOT_UTF8'],
        ['fifo', 'NOT_CARRIED'],
        ['socket', 'NOT_CARRIED'],
      ].sort(),
    )
  }))

test('odd names come back as they are', () =>
  withRoot((root) => {
    const names = [
      'new\nline',
      'back\\slash',
      '__proto__',
      '-rf',
      ' ',
      '...',
      'ä',
      'a\u0308',
      '🐟',
      'x'.repeat(255),
    ]
    for (const name of names) fs.writeFileSync(path.join(root, name), name)
    const listing = scanOne(root)
    assert.deepEqual([...listing.names].sort(), [...names].sort())
    assert.deepEqual(listing.faults, [])
  }))

test('a path too long to be carried is reported', () =>
  withRoot((rootPath) => {
    const root = new SafeRoot(rootPath)
    let directory = 'd'.repeat(250)
    root.mkdir(directory, 0o700)
    while (directory.length + 251 <= MAX_PATH_BYTES) {
      directory += `/${'d'.repeat(250)}`
      root.mkdir(directory, 0o700)
    }
    const room = MAX_PATH_BYTES - directory.length - 1
    root.mkdir(`${directory}/${'f'.repeat(room)}`, 0o700)
    root.mkdir(`${directory}/${'l'.repeat(room + 1)}`, 0o700)
    root.close()
    const listing = scanOne(rootPath, directory)
    assert.deepEqual(listing.names, ['f'.repeat(room)])
    assert.deepEqual(
      listing.faults.map(({ code }) => code),
      ['TOO_LONG'],
    )
  }))

test('A1: what is no directory, or lies behind a symlink, is gone', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'real/sub'), { recursive: true })
    fs.writeFileSync(path.join(root, 'file'), '')
    fs.symlinkSync('real', path.join(root, 'link'))
    const listings = scan(root, 'missing', 'missing/below', 'file', 'file/below', 'link', 'link/sub')
    assert.deepEqual(
      listings.map(({ status }) => status),
      ['gone', 'gone', 'gone', 'gone', 'gone', 'gone'],
    )
  }))

test('A5: a root that is missing, or another than expected, makes every listing fail and nothing missing', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'share/d'), { recursive: true })
    const share = path.join(root, 'share')
    const { ino, dev } = fs.statSync(share)
    const directories = ['', 'd'] as RelPath[]
    const scanned = (expectRoot: { ino: number; dev: number }): unknown =>
      scanBatch({ root: share, directories, expectRoot }).results.map(({ status, code }) => code ?? status)
    assert.deepEqual(scanned({ ino, dev }), ['ok', 'ok'])
    assert.deepEqual(scanned({ ino: ino + 1, dev }), ['ROOT_CHANGED', 'ROOT_CHANGED'])
    const confirm = (expectRoot: { ino: number; dev: number }): boolean[] =>
      confirmMissingBatch({ root: share, paths: ['d', 'nothing'], expectRoot })
    assert.deepEqual(confirm({ ino, dev }), [false, true])
    assert.deepEqual(confirm({ ino, dev: dev + 1 }), [false, false])
    fs.renameSync(share, path.join(root, 'elsewhere'))
    assert.deepEqual(
      scan(share, '', 'd').map(({ status, code }) => [status, code]),
      [
        ['failed', 'ENOENT'],
        ['failed', 'ENOENT'],
      ],
    )
    assert.deepEqual(missing(share, 'nothing'), [false])
  }))

test('A5: a root that is removed while it is scanned makes nothing look deleted', () =>
  withRoot((root) => {
    const share = path.join(root, 'share')
    for (const method of ['readdirSync', 'lstatSync'] as const) {
      fs.mkdirSync(path.join(share, 'd'), { recursive: true })
      fs.writeFileSync(path.join(share, 'd/file'), '')
      const original = fs[method] as (...args: unknown[]) => unknown
      mock.method(fs, method, (...args: unknown[]) => {
        mock.restoreAll()
        fs.rmSync(share, { recursive: true })
        return original(...args)
      })
      if (method === 'readdirSync')
        assert.deepEqual(
          scan(share, 'd', '').map(({ status }) => status),
          ['failed', 'failed'],
        )
      else assert.deepEqual(missing(share, 'd/file', 'nothing'), [false, false])
    }
  }))

test('A6: a directory that cannot be read fails, one unreadable name does not', () =>
  withRoot((root) => {
    for (const name of ['a/x', 'b/x', 'b/y']) {
      fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true })
      fs.writeFileSync(path.join(root, name), '')
    }
    const lstatSync = fs.lstatSync as (...args: unknown[]) => fs.Stats
    let code = 'EIO'
    mock.method(fs, 'lstatSync', (...args: unknown[]) => {
      if (String(args[0]).endsWith('/x')) throw failing(code)
      return lstatSync(...args)
    })
    const listing = scanOne(root, 'b')
    assert.deepEqual([listing.status, listing.names], ['ok', ['y']])
    assert.deepEqual(
      listing.faults.map((fault) => [fault.name, fault.code]),
      [['x', 'UNREADABLE']],
    )
    assert.deepEqual(missing(root, 'b/x', 'b/z'), [false, true])
    code = 'EACCES'
    const [first, second] = scan(root, 'a', '')
    assert.deepEqual([first!.status, first!.code, first!.names], ['failed', 'EACCES', []])
    assert.deepEqual([second!.status, second!.names.length, second!.stats.length > 0], ['ok', 2, true])
    assert.deepEqual(missing(root, 'b/x'), [false])
  }))

test('a name that vanishes between listing and stat is left out', () =>
  withRoot((root) => {
    fs.writeFileSync(path.join(root, 'a'), '')
    fs.writeFileSync(path.join(root, 'b'), '')
    const readdirSync = fs.readdirSync as (...args: unknown[]) => string[]
    mock.method(fs, 'readdirSync', (...args: unknown[]) => {
      const names = readdirSync(...args)
      fs.rmSync(path.join(root, 'a'), { force: true })
      return names
    })
    const listing = scanOne(root)
    assert.deepEqual([listing.status, listing.names, listing.faults], ['ok', ['b'], []])
  }))

test('only what certainly is not there is confirmed missing', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'd'))
    fs.writeFileSync(path.join(root, 'file'), '')
    fs.symlinkSync('nowhere', path.join(root, 'dangling'))
    fs.symlinkSync('d', path.join(root, 'link'))
    assert.deepEqual(
      missing(root, 'd', 'file', 'dangling', 'gone', 'gone/below', 'file/below', 'link/below'),
      [false, false, false, true, true, true, true],
    )
  }))

test('through the pool: many directories in one batch, stats in one piece', () =>
  withRoot(async (root) => {
    const pool = new FolderPool({ threads: 1 })
    try {
      const directories: string[] = ['']
      for (let index = 0; index < 40; index++) {
        directories.push(`d${index}`)
        fs.mkdirSync(path.join(root, `d${index}`))
        for (let file = 0; file < index; file++)
          fs.writeFileSync(path.join(root, `d${index}/f${file}`), 'x'.repeat(file))
      }
      const listings = await pool.scan(root, directories as RelPath[])
      assert.deepEqual(
        listings.map((listing) => listing.path),
        directories,
      )
      for (const listing of listings.slice(1))
        for (const [index, name] of listing.names.entries()) {
          const place = path.join(root, listing.path, name)
          assert.deepEqual(unpackStat(listing.stats, index), statOf(fs.lstatSync(place)))
        }
      assert.equal(
        new Set(listings.filter(({ names }) => names.length > 0).map(({ stats }) => stats.buffer)).size,
        1,
      )
      assert.deepEqual(await pool.confirmMissing(root, ['d1', 'no']), [false, true])
      assert.equal((await pool.scan(root, [''], { ino: 0, dev: 0 }))[0]!.code, 'ROOT_CHANGED')
    } finally {
      await pool.close()
    }
  }))

test('without a descriptor left a directory fails for that, and is not thought to be on another file system', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'd'))
    const readFileSync = fs.readFileSync as (...args: unknown[]) => string
    let calls = 0
    // The mount is asked for where a directory is opened part by part alone.
    mock.method(beneathWhenWorth, 'open', () => undefined)
    mock.method(fs, 'readFileSync', (...args: unknown[]) => {
      if (String(args[0]).startsWith('/proc/self/fdinfo/') && calls++ > 0) throw failing('EMFILE')
      return readFileSync(...args)
    })
    const [listing] = scan(root, 'd')
    assert.deepEqual([listing!.status, listing!.code], ['failed', 'EMFILE'])
    assert.deepEqual(missing(root, 'd/x'), [false])
  }))

test('a root keeps fewer directories open where the process may open no more', () =>
  withRoot((root) => {
    for (let i = 0; i < 10; i++) fs.mkdirSync(path.join(root, `d${i}/e`), { recursive: true })
    const openSync = fs.openSync as (...args: unknown[]) => number
    const closeSync = fs.closeSync as (fd: number) => void
    const open = new Set<number>()
    mock.method(fs, 'openSync', (...args: unknown[]) => {
      if (open.size >= 5) throw failing('EMFILE')
      const fd = openSync(...args)
      open.add(fd)
      return fd
    })
    mock.method(fs, 'closeSync', (fd: number) => {
      open.delete(fd)
      closeSync(fd)
    })
    const listings = scan(root, ...Array.from({ length: 10 }, (_, i) => `d${i}/e`))
    assert.deepEqual(new Set(listings.map(({ status }) => status)), new Set(['ok']))
    assert.equal(open.size, 0, 'all are closed again')
  }))

test('A6: a stale handle of a network file system, which has no name in libuv, is told of by its own', () =>
  withRoot((root) => {
    fs.mkdirSync(path.join(root, 'd'))
    fs.writeFileSync(path.join(root, 'f'), '')
    mock.method(fs, 'readdirSync', () => {
      throw failing('Unknown system error -116')
    })
    const [listing] = scan(root, 'd')
    assert.deepEqual([listing!.status, listing!.code], ['failed', 'ESTALE'])
    assert.match(listing!.detail!, /^ESTALE: the server/)
  }))
