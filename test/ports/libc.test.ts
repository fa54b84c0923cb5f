// Functions of libc: had where they are, told to be missing where they are not, and nothing loaded before.
import assert from 'node:assert/strict'
import { Module } from 'node:module'
import { type TestContext, test } from 'node:test'
import { fromLibc, fromLibrary, libcErrno } from '../../src/ports/libc.js'

const isLinux = process.platform === 'linux'
const EBADF = 9

test('libc: a function that is there is called', { skip: !isLinux }, () => {
  const getpid = fromLibc<() => number>('int getpid()')
  assert.equal(getpid()?.(), process.pid)
  assert.equal(getpid(), getpid(), 'found once')
  assert.equal(fromLibc<(fd: number) => number>('int close(int fd)')()?.(-1), -1)
  assert.equal(libcErrno(), EBADF)
})

test('libc: nothing is loaded before a function is asked for, and then once', { skip: !isLinux }, (t) => {
  const loads = koffiLoads(t, false)
  const getppid = fromLibc<() => number>('int getppid()')
  assert.equal(loads(), 0)
  for (const _ of [1, 2]) assert.equal(getppid()?.(), process.ppid)
  assert.equal(loads(), 1)
})

test('libc: a function that this one has not is undefined, and looked for once', { skip: !isLinux }, (t) => {
  const loads = koffiLoads(t, false)
  const missing = fromLibc('int shoal_has_no_such_function(int fd)')
  assert.deepEqual([missing(), missing(), loads()], [undefined, undefined, 1])
  assert.throws(() => fromLibrary(null, 'int shoal_has_no_such_function(int fd)'))
  assert.throws(() => fromLibrary('libshoal_is_none.so.1', 'int getpid()'))
})

test('libc: undefined where there is no build of koffi', (t) => {
  koffiLoads(t, true)
  assert.equal(fromLibc('int getpid()')(), undefined)
  assert.throws(() => fromLibrary(null, 'int getpid()'), /no build/)
})

test('libc: undefined on another system, of which not even koffi is asked', (t) => {
  const loads = koffiLoads(t, false)
  const platform = Object.getOwnPropertyDescriptor(process, 'platform')!
  t.after(() => Object.defineProperty(process, 'platform', platform))
  Object.defineProperty(process, 'platform', { ...platform, value: 'darwin' })
  assert.deepEqual([fromLibc('int getpid()')(), loads()], [undefined, 0])
})

/** How often koffi was asked for since; with `isMissing`, it is as if this machine had none. */
function koffiLoads(t: TestContext, isMissing: boolean): () => number {
  const loader = Module as unknown as { _load(request: string, ...rest: unknown[]): unknown }
  const load = loader._load
  let count = 0
  t.mock.method(loader, '_load', function (this: unknown, request: string, ...rest: unknown[]) {
    if (request !== 'koffi') return load.call(this, request, ...rest)
    count++
    if (isMissing) throw new Error('no build of koffi for this machine')
    return load.call(this, request, ...rest)
  })
  return () => count
}
