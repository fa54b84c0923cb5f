import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, test } from 'node:test'
import { codeOf, faultOf, isGone, PathFault, SafeRoot, setMode, setTimes } from '../../src/folder/safefs.js'

let base: string
let root: SafeRoot

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'shoal-safefs-'))
  fs.mkdirSync(join(base, 'share/a/b'), { recursive: true })
  fs.mkdirSync(join(base, 'outside'))
  root = new SafeRoot(join(base, 'share'))
})

afterEach(() => {
  root.close()
  fs.rmSync(base, { recursive: true, force: true })
})

function at(name: string): string {
  return join(base, 'share', name)
}

function coded(code: string): (thrown: unknown) => boolean {
  return (thrown) => codeOf(thrown) === code
}

function openDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').length
}

test('A1: nothing is reached through a symlinked parent', () => {
  fs.symlinkSync(join(base, 'outside'), at('a/link'))
  fs.writeFileSync(join(base, 'outside/secret'), 'theirs')
  const { O_WRONLY, O_CREAT } = fs.constants
  for (const call of [
    () => root.lstat('a/link/secret'),
    () => root.open('a/link/secret'),
    () => root.open('a/link/new', O_WRONLY | O_CREAT),
    () => root.unlink('a/link/secret'),
    () => root.mkdir('a/link/new', 0o755),
    () => root.symlink('x', 'a/link/new'),
    () => root.rename('a/b', 'a/link/new'),
    () => root.link('a/link/secret', 'a/new'),
    () => root.exchange('a/b', 'a/link/secret'),
    () => root.readdir('a/link'),
    () => root.rmdir('a/link/deeper/x'),
    () => root.handle('a/link/secret'),
  ])
    assert.throws(call, coded('SYMLINK_IN_PATH'))
  assert.deepEqual(fs.readdirSync(join(base, 'outside')), ['secret'])
})

test('A1: a final symlink is never followed', () => {
  fs.writeFileSync(join(base, 'outside/secret'), 'theirs')
  fs.symlinkSync(join(base, 'outside/secret'), at('link'))
  assert.equal(root.lstat('link')?.type, 'symlink')
  assert.throws(() => root.open('link'), coded('ELOOP'))
  assert.throws(() => root.open('link', fs.constants.O_WRONLY | fs.constants.O_CREAT), coded('ELOOP'))
  root.setLinkTimes('link', '5')
  assert.equal(root.lstat('link')?.mtimeMs, 5000)
  assert.equal(root.readlink('link').toString(), join(base, 'outside/secret'))
  root.rename('link', 'moved')
  root.link('moved', 'twin')
  root.unlink('twin')
  assert.equal(root.lstat('moved')?.type, 'symlink')
  assert.equal(fs.readFileSync(join(base, 'outside/secret'), 'utf8'), 'theirs')
})

test('A1: a parent swapped for a symlink during a batch leads nowhere else', () => {
  root.mkdir('a/b/before', 0o755)
  fs.renameSync(at('a/b'), at('a/old'))
  fs.symlinkSync(join(base, 'outside'), at('a/b'))
  root.mkdir('a/b/during', 0o755)
  assert.deepEqual(fs.readdirSync(join(base, 'outside')), [])
  assert.deepEqual(fs.readdirSync(at('a/old')).sort(), ['before', 'during'])
  const next = new SafeRoot(join(base, 'share'))
  try {
    assert.throws(() => next.mkdir('a/b/after', 0o755), coded('SYMLINK_IN_PATH'))
  } finally {
    next.close()
  }
})

test('A1: paths that leave the root or are no paths are refused', () => {
  for (const bad of ['..', 'a/..', '../outside', 'a/../b', '.', '', 'a//b', '/etc', 'a/', 'a/\0', 'a\0/b'])
    assert.throws(() => root.lstat(bad), coded('BAD_PATH'), JSON.stringify(bad))
})

test('faults tell a missing parent from one that is no directory', () => {
  fs.writeFileSync(at('file'), '')
  assert.throws(() => root.lstat('none/x'), coded('PARENT_MISSING'))
  assert.throws(() => root.lstat('file/x'), coded('NOT_A_DIRECTORY'))
  assert.equal(root.lstat('none'), undefined)
  assert.ok(isGone(new PathFault('PARENT_MISSING', '')))
  assert.throws(
    () => root.open('none'),
    (thrown) => isGone(thrown) && faultOf(thrown).detail === 'ENOENT: no such file or directory',
  )
  try {
    root.rename('none', 'other')
  } catch (thrown) {
    assert.deepEqual(faultOf(thrown), { code: 'ENOENT', detail: 'ENOENT: no such file or directory' })
  }
})

test('strange names are used as they are', () => {
  const names = [
    '-rf',
    '__proto__',
    'a\\b',
    'line\nbreak',
    ' ',
    "'",
    'ü'.repeat(127),
    'x'.repeat(255),
    '\u{1f41f}',
  ]
  for (const name of names) {
    root.mkdir(name, 0o755)
    root.symlink('target', `${name}/${name}`)
    assert.equal(root.lstat(`${name}/${name}`)?.type, 'symlink', name)
  }
  assert.deepEqual(fs.readdirSync(at('')).sort(), ['a', ...names].sort())
  assert.throws(() => root.mkdir('x'.repeat(256), 0o755), coded('ENAMETOOLONG'))
})

test('paths deeper than PATH_MAX would allow in one go, and than the cache holds', () => {
  const parts = Array.from({ length: 240 }, (_, i) => `directory-${i}`)
  for (let depth = 1; depth <= parts.length; depth++) root.mkdir(parts.slice(0, depth).join('/'), 0o755)
  const deep = parts.join('/')
  const other = `other/${parts.slice(0, 100).join('/')}`
  root.mkdir('other', 0o755)
  for (let depth = 1; depth <= 100; depth++) root.mkdir(`other/${parts.slice(0, depth).join('/')}`, 0o755)
  root.symlink('x', `${deep}/link`)
  // Both parents at once need more descriptors than are kept.
  root.rename(`${deep}/link`, `${other}/link`)
  root.link(`${other}/link`, `${deep}/link`)
  root.exchange(`${other}/link`, `${deep}/link`)
  assert.equal(root.lstat(`${deep}/link`)?.nlink, 2)
})

test('descriptors are bounded, and all closed at the end', () => {
  const before = openDescriptors()
  const other = new SafeRoot(join(base, 'share'))
  for (let i = 0; i < 200; i++) {
    other.mkdir(`d${i}`, 0o755)
    other.mkdir(`d${i}/e`, 0o755)
    other.lstat(`d${i}/e/f`)
  }
  assert.ok(openDescriptors() - before < 80)
  other.close()
  assert.equal(openDescriptors(), before)
})

test('a directory that was removed, moved or exchanged is looked up anew', () => {
  root.mkdir('a/b/c', 0o755)
  root.mkdir('a/b/c/d', 0o755)
  root.rename('a/b', 'a/moved')
  root.mkdir('a/b', 0o755)
  assert.throws(() => root.lstat('a/b/c/d'), coded('PARENT_MISSING'))
  assert.equal(root.lstat('a/moved/c/d')?.type, 'directory')
  root.exchange('a/b', 'a/moved')
  assert.equal(root.lstat('a/b/c/d')?.type, 'directory')
  root.rmdir('a/b/c/d')
  root.rmdir('a/b/c')
  root.mkdir('a/b/c', 0o755)
  assert.equal(root.lstat('a/b/c/d'), undefined)
})

test('a handle stays with its inode', () => {
  fs.writeFileSync(at('file'), 'x', { mode: 0o600 })
  const handle = root.handle('file')
  try {
    fs.renameSync(at('file'), at('moved'))
    fs.writeFileSync(at('file'), 'other', { mode: 0o600 })
    setMode(handle, 0o4711)
    setTimes(handle, '-1.5')
  } finally {
    fs.closeSync(handle)
  }
  assert.equal(root.lstat('moved')?.mode, 0o4711)
  assert.equal(root.lstat('moved')?.mtimeMs, -1500)
  assert.equal(root.lstat('file')?.mode, 0o600)
})

test('A7: a fifo does not hang an open', (context) => {
  // node cannot make one.
  if (spawnSync('mkfifo', [at('fifo')]).status !== 0) return context.skip('no mkfifo')
  const fd = root.open('fifo')
  assert.ok(fs.fstatSync(fd).isFIFO())
  fs.closeSync(fd)
  assert.equal(root.lstat('fifo')?.type, 'other')
})

test('the root may be a symlink, and must be a directory', () => {
  fs.symlinkSync(at(''), join(base, 'alias'))
  const other = new SafeRoot(join(base, 'alias'))
  assert.equal(other.rootStat().ino, root.rootStat().ino)
  assert.deepEqual(other.readdir('').map(String), ['a'])
  other.close()
  fs.writeFileSync(join(base, 'file'), '')
  assert.throws(() => new SafeRoot(join(base, 'file')), coded('ENOTDIR'))
  assert.throws(() => new SafeRoot(join(base, 'none')), coded('ENOENT'))
})

test('A5, A7: what is mounted below the root is not entered, a bind mount from the same file system included', (t) => {
  fs.mkdirSync(join(base, 'outside/inside'))
  if (spawnSync('mount', ['--bind', join(base, 'outside'), at('a/b')]).status !== 0)
    return t.skip('nothing can be mounted here')
  try {
    assert.throws(() => root.directory('a/b'), coded('OTHER_FILE_SYSTEM'))
    assert.throws(() => root.at('a/b/inside/file'), coded('OTHER_FILE_SYSTEM'))
  } finally {
    assert.equal(spawnSync('umount', [at('a/b')]).status, 0)
  }
  assert.doesNotThrow(() => root.directory('a/b'))
})
