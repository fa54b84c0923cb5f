// Directories in one call: what the system refuses, what is asked of it, and that one that does not know it is asked once.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { createRequire } from 'node:module'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, type TestContext, test } from 'node:test'
import { beneath } from '../../src/ports/openat2.js'
import { noOpenat2 } from '../support/beneath.js'

const skip = noOpenat2
const O_PATH = 0o10000000
const O_CLOEXEC = 0o2000000

let base: string
let root: number

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'shoal-openat2-'))
  fs.mkdirSync(join(base, 'root/a/b/c'), { recursive: true })
  fs.mkdirSync(join(base, 'outside/c'), { recursive: true })
  root = fs.openSync(join(base, 'root'), 'r')
})

afterEach(() => {
  fs.closeSync(root)
  fs.rmSync(base, { recursive: true })
})

test('openat2: a directory some parts below, closed on exec', { skip }, () => {
  const fd = beneath.open(root, 'a/b/c')!
  assert.equal(fs.fstatSync(fd).ino, fs.statSync(join(base, 'root/a/b/c')).ino)
  const flags = /^flags:\s+([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!
  assert.equal(Number.parseInt(flags, 8) & (O_PATH | O_CLOEXEC), O_PATH | O_CLOEXEC)
  beneath.close(fd)
  assert.throws(() => fs.fstatSync(fd), { code: 'EBADF' })
  assert.throws(() => beneath.close(fd), /not open/)
})

test('openat2, A1: no symlink is followed, no way leads out, and a directory it must be', { skip }, () => {
  fs.symlinkSync('b', join(base, 'root/a/link'))
  fs.symlinkSync('/proc/self/cwd', join(base, 'root/a/magic'))
  fs.symlinkSync(join(base, 'outside'), join(base, 'root/out'))
  fs.writeFileSync(join(base, 'root/a/file'), '')
  for (const path of [
    'a/link',
    'a/link/c',
    'a/magic',
    'a/magic/c',
    'out',
    'out/c',
    'a/file',
    'a/file/c',
    'a/none',
  ])
    assert.equal(beneath.open(root, path), undefined, path)
  for (const path of ['..', '../outside', 'a/../../outside', join(base, 'outside'), '/', ''])
    assert.equal(beneath.open(root, path), undefined, path)
  const magic = fs.openSync('/proc/self', 'r')
  assert.equal(beneath.open(magic, 'cwd'), undefined)
  fs.closeSync(magic)
})

test('openat2, A5, A7: no mount is entered, be it of the same file system', { skip }, (t) => {
  if (spawnSync('mount', ['--bind', join(base, 'outside'), join(base, 'root/a/b')]).status !== 0)
    return t.skip('nothing can be mounted here')
  try {
    for (const path of ['a/b', 'a/b/c']) assert.equal(beneath.open(root, path), undefined, path)
  } finally {
    assert.equal(spawnSync('umount', [join(base, 'root/a/b')]).status, 0)
  }
})

for (const [name, calls] of [
  ['ENOSYS', 1],
  ['EPERM', 1],
  ['ENOENT', 2],
  ['EMFILE', 2],
] as const)
  test(`openat2: after ${name} it is asked ${calls === 1 ? 'no more' : 'again'}`, {
    skip: process.platform !== 'linux',
  }, async (t) => {
    const { open, count } = await failing(t, constants.errno[name])
    assert.deepEqual([open(), open(), count()], [undefined, undefined, calls])
  })

test('openat2: loaded once it is worth it', { skip }, async () => {
  const { beneathWhenWorth } = await fresh('worth')
  const fds = Array.from({ length: 160 }, () => beneathWhenWorth.open(root, 'a/b'))
  const first = fds.findIndex((fd) => fd !== undefined)
  for (const fd of fds) if (fd !== undefined) beneathWhenWorth.close(fd)
  assert.equal(first, 150)
  assert.ok(fds.slice(first).every((fd) => fd !== undefined))
})

/** The module as in a thread of its own. */
async function fresh(name: string): Promise<typeof import('../../src/ports/openat2.js')> {
  return (await import(`../../src/ports/openat2.js?${name}`)) as typeof import('../../src/ports/openat2.js')
}

/** The call where the system answers with that errno; how often that was. */
async function failing(t: TestContext, errno: number): Promise<{ open(): unknown; count(): number }> {
  const { beneath: other } = await fresh(`${errno}`)
  let count = 0
  const syscall = (): number => {
    count++
    return -1
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  t.mock.method(koffi, 'load', () => ({ func: () => syscall }))
  t.mock.method(koffi, 'errno', () => errno)
  return { open: () => other.open(root, 'a/b'), count: () => count }
}
