// Calls by a directory's descriptor: they say what node's say, to the bit, and nothing where those fail.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { statOf } from '../../src/core/stat.js'
import { callsAt } from '../../src/ports/calls-at.js'
import { noCallsAt } from '../support/ways.js'

const skip = noCallsAt
const O_CLOEXEC = 0o2000000
const { O_RDONLY, O_NOFOLLOW } = fs.constants

let base: string
let directory: number

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'shoal-calls-'))
  directory = fs.openSync(base, 'r')
})

afterEach(() => {
  fs.closeSync(directory)
  fs.rmSync(base, { recursive: true })
})

test('A3: a stat is what node says of it, whatever it is of', { skip }, () => {
  fs.writeFileSync(join(base, 'file'), 'content', { mode: 0o4751 })
  fs.linkSync(join(base, 'file'), join(base, 'twin'))
  fs.mkdirSync(join(base, 'directory'), { mode: 0o1777 })
  fs.symlinkSync('nowhere', join(base, 'symlink'))
  fs.writeFileSync(join(base, 'grüße €'), '')
  assert.equal(spawnSync('mkfifo', [join(base, 'fifo')]).status, 0)
  for (const name of fs.readdirSync(base))
    assert.deepEqual(callsAt.lstat(directory, name), statOf(fs.lstatSync(join(base, name))), name)
  const fd = fs.openSync(join(base, 'file'), 'r')
  assert.deepEqual(callsAt.fstat(fd), statOf(fs.fstatSync(fd)))
  fs.closeSync(fd)
  // Devices, and file systems of other kinds, with device numbers of their own.
  for (const place of ['/dev', '/proc', '/sys', '/run', '/etc', '/']) {
    const other = fs.openSync(place, 'r')
    const names = fs.readdirSync(place).filter((name) => place !== '/proc' || !/^\d/.test(name))
    for (const name of names.slice(0, 100)) {
      const told = [
        callsAt.lstat(other, name),
        fs.lstatSync(join(place, name), { throwIfNoEntry: false }),
      ] as const
      // Directories of /run and of /proc change.
      if (told[1]?.isDirectory() === false && place !== '/run') assert.deepEqual(told[0], statOf(told[1]))
      assert.equal(told[0]?.dev, told[1]?.dev)
      assert.equal(told[0]?.ino, told[1]?.ino)
    }
    fs.closeSync(other)
  }
})

test('A3: times before 1970 and far ahead, sizes beyond 32 bits', { skip }, () => {
  const place = join(base, 'file')
  fs.writeFileSync(place, '')
  const seconds = fc.oneof(fc.integer(), fc.double({ min: -(2 ** 31), max: 2 ** 34, noNaN: true }))
  const size = fc.nat({ max: 2 ** 43 })
  fc.assert(
    fc.property(seconds, size, (time, bytes) => {
      fs.truncateSync(place, bytes)
      fs.utimesSync(place, String(time), String(time))
      assert.deepEqual(callsAt.lstat(directory, 'file'), statOf(fs.lstatSync(place)))
    }),
  )
})

test('what is opened is closed on exec, read from any place, and closed once', { skip }, () => {
  const place = join(base, 'file')
  fs.writeFileSync(place, 'start')
  fs.truncateSync(place, 2 ** 33)
  fs.appendFileSync(place, 'behind')
  const fd = callsAt.open(directory, 'file', O_RDONLY)!
  const flags = /^flags:\s+([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!
  assert.equal(Number.parseInt(flags, 8) & O_CLOEXEC, O_CLOEXEC)
  const room = Buffer.alloc(16, '.')
  // A view, and of memory that threads share: the rest of it is left alone.
  assert.equal(callsAt.read(fd, room.subarray(3, 8), 0), 5)
  assert.equal(room.toString(), '...start........')
  const shared = Buffer.from(new SharedArrayBuffer(16), 4, 8)
  assert.equal(callsAt.read(fd, shared, 2 ** 33), 6)
  assert.equal(shared.toString('latin1'), 'behind\0\0')
  assert.equal(callsAt.read(fd, room, 2 ** 33 + 6), 0)
  assert.equal(callsAt.read(fd, room.subarray(0, 0), 0), 0)
  callsAt.close(fd)
  assert.throws(() => fs.fstatSync(fd), { code: 'EBADF' })
  assert.throws(() => callsAt.close(fd), { code: 'EBADF' })
  assert.equal(callsAt.read(fd, room, 0), undefined)
  assert.equal(callsAt.fstat(fd), undefined)
})

test('what fails is undefined, and leaves nothing open', { skip }, () => {
  fs.symlinkSync('file', join(base, 'link'))
  fs.writeFileSync(join(base, 'file'), '')
  const before = fs.readdirSync('/proc/self/fd').length
  assert.equal(callsAt.lstat(directory, 'none'), undefined)
  assert.equal(callsAt.open(directory, 'none', O_RDONLY), undefined)
  assert.equal(callsAt.open(directory, 'link', O_RDONLY | O_NOFOLLOW), undefined)
  assert.equal(callsAt.open(9999, 'file', O_RDONLY), undefined)
  assert.equal(callsAt.read(directory, Buffer.alloc(1), 0), undefined)
  assert.equal(callsAt.read(9999, Buffer.alloc(1), 0), undefined)
  assert.equal(fs.readdirSync('/proc/self/fd').length, before)
})

test('a thread that opens and closes this way is warned of nothing', { skip }, async () => {
  fs.writeFileSync(join(base, 'file'), 'content')
  const port = new URL('../../src/ports/calls-at.js', import.meta.url).href
  const program = `
    const { callsAt } = await import(${JSON.stringify(port)})
    const { parentPort } = await import('node:worker_threads')
    const { openSync, closeSync } = await import('node:fs')
    process.on('warning', (warning) => parentPort.postMessage(String(warning)))
    const directory = openSync(${JSON.stringify(base)}, 'r')
    for (let i = 0; i < 100; i++) callsAt.close(callsAt.open(directory, 'file', 0))
    closeSync(directory)
    setImmediate(() => parentPort.postMessage('done'))`
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`))
  const said: unknown[] = []
  worker.on('message', (message) => said.push(message))
  const status = await new Promise((resolve, reject) => worker.once('exit', resolve).once('error', reject))
  assert.deepEqual([status, said], [0, ['done']])
})
