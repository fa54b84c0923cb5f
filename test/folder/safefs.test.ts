import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import { openToRead } from '../../src/folder/read.js'
import {
  codeOf,
  faultOf,
  isGone,
  PathFault,
  SafeRoot,
  setMode,
  setTimes,
  type Ways,
} from '../../src/folder/safefs.js'
import { callsAt } from '../../src/ports/calls-at.js'
import { type Beneath, beneath } from '../../src/ports/openat2.js'
import { byTurns, NEVER, noOpenat2 } from '../support/beneath.js'
import { noLimits, ownLimit } from '../support/descriptors.js'
import { eachByTurns, NODE_ALONE, noCallsAt } from '../support/ways.js'

/** Directories are opened in two ways, and what is in them in two others; everything holds for all of them. */
const WAYS: readonly { readonly name: string; readonly ways: Ways; readonly skip: string | false }[] = [
  { name: 'part by part', ways: { beneath: NEVER, calls: NODE_ALONE }, skip: false },
  { name: 'at once', ways: { beneath, calls: callsAt }, skip: noOpenat2 || noCallsAt },
  {
    name: 'now so and now so',
    ways: { beneath: byTurns(beneath), calls: eachByTurns(callsAt) },
    skip: noOpenat2 || noCallsAt,
  },
]

/** Of descriptors, as this process has been given it. */
const softLimit = Number(/^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))![1])

let base: string
let root: SafeRoot

beforeEach(() => {
  base = fs.realpathSync(fs.mkdtempSync(join(tmpdir(), 'shoal-safefs-')))
  fs.mkdirSync(join(base, 'share/a/b'), { recursive: true })
  fs.mkdirSync(join(base, 'outside'))
})

afterEach(() => {
  fs.rmSync(base, { recursive: true, force: true })
})

function at(name: string): string {
  return join(base, 'share', name)
}

function coded(code: string): (thrown: unknown) => boolean {
  return (thrown) => codeOf(thrown) === code
}

/** What a descriptor stands for; undefined of the one that the list of them was read through. */
function placeOf(fd: string): string | undefined {
  try {
    return fs.readlinkSync(`/proc/self/fd/${fd}`)
  } catch (thrown) {
    if (codeOf(thrown) === 'ENOENT') return undefined
    throw thrown
  }
}

/** Of what lies in the test's own folder. */
function openDescriptors(): number {
  return fs.readdirSync('/proc/self/fd').filter((fd) => placeOf(fd)?.startsWith(base)).length
}

for (const way of WAYS)
  describe(`directories opened ${way.name}`, { skip: way.skip }, () => {
    beforeEach(() => {
      root = new SafeRoot(join(base, 'share'), way.ways)
    })

    afterEach(() => root.close())

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
      const next = new SafeRoot(join(base, 'share'), way.ways)
      try {
        assert.throws(() => next.mkdir('a/b/after', 0o755), coded('SYMLINK_IN_PATH'))
      } finally {
        next.close()
      }
    })

    test('A1: paths that leave the root or are no paths are refused', () => {
      for (const bad of [
        '..',
        'a/..',
        '../outside',
        'a/../b',
        '.',
        '',
        'a//b',
        '/etc',
        'a/',
        'a/\0',
        'a\0/b',
      ])
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
      const other = new SafeRoot(join(base, 'share'), way.ways)
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
      const other = new SafeRoot(join(base, 'alias'), way.ways)
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

    test('A1: a file or a symlink far up in a path is told from a missing part', () => {
      fs.mkdirSync(at('a/b/c/d'), { recursive: true })
      fs.symlinkSync('b', at('a/inside'))
      fs.symlinkSync('loop', at('a/loop'))
      fs.symlinkSync('/proc/self/cwd', at('a/magic'))
      fs.writeFileSync(at('a/file'), '')
      for (const link of ['inside', 'loop', 'magic'])
        assert.throws(() => root.directory(`a/${link}/c/d`), coded('SYMLINK_IN_PATH'), link)
      assert.throws(() => root.directory('a/file/c/d'), coded('NOT_A_DIRECTORY'))
      assert.throws(() => root.directory('a/none/c/d'), coded('PARENT_MISSING'))
      assert.equal(fs.fstatSync(root.directory('a/b/c/d')).ino, fs.statSync(at('a/b/c/d')).ino)
    })

    test('a directory that was moved is forgotten with all below it, whatever lies between', () => {
      fs.mkdirSync(at('a/b/c/d'), { recursive: true })
      fs.mkdirSync(at('a/bc'))
      const before = openDescriptors()
      root.directory('a/b/c/d')
      const kept = root.directory('a/bc')
      root.rename('a/b', 'moved')
      assert.throws(() => root.directory('a/b/c/d'), coded('PARENT_MISSING'))
      assert.equal(root.directory('a/bc'), kept, 'its name only begins alike')
      assert.equal(fs.fstatSync(root.directory('moved/c/d')).ino, fs.statSync(at('moved/c/d')).ino)
      root.forget('a')
      root.forget('moved')
      assert.equal(openDescriptors(), before)
    })

    test('a directory that the user moves is followed, once it has been worked in', () => {
      fs.mkdirSync(at('a/b/c'), { recursive: true })
      root.mkdir('a/b/c/before', 0o755)
      fs.renameSync(at('a'), at('moved'))
      root.mkdir('a/b/c/after', 0o755)
      assert.deepEqual(fs.readdirSync(at('moved/b/c')).sort(), ['after', 'before'])
    })

    test('A5, A7: what is mounted over a directory that is open already is not entered from it', (t) => {
      fs.mkdirSync(at('a/b/c/d'), { recursive: true })
      fs.mkdirSync(join(base, 'outside/d'))
      root.directory('a/b')
      if (spawnSync('mount', ['--bind', join(base, 'outside'), at('a/b/c')]).status !== 0)
        return t.skip('nothing can be mounted here')
      try {
        assert.throws(() => root.directory('a/b/c/d'), coded('OTHER_FILE_SYSTEM'))
      } finally {
        assert.equal(spawnSync('umount', [at('a/b/c')]).status, 0)
      }
    })

    test('where the process has no descriptor left, those that nobody uses are given up', {
      skip: noLimits,
    }, async () => {
      for (let i = 0; i < 20; i++) fs.mkdirSync(at(`d${i}/e/f/g`), { recursive: true })
      fs.writeFileSync(at('d0/e/f/g/file'), 'x')
      const limit = ownLimit()
      const taken: number[] = []
      try {
        for (let i = 0; i < 10; i++) root.directory(`d${i}/e/f/g`)
        await limit.set(fs.readdirSync('/proc/self/fd').length)
        assert.throws(() => {
          for (;;) taken.push(fs.openSync('/dev/null', 'r'))
        }, coded('EMFILE'))
        for (let i = 10; i < 20; i++) root.mkdir(`d${i}/e/f/g/new`, 0o755)
        root.rename('d19/e/f/g/new', 'd0/e/f/g/moved')
        fs.closeSync(root.open('d0/e/f/g/file'))
      } finally {
        for (const fd of taken) fs.closeSync(fd)
        await limit.set(softLimit)
        limit.close()
      }
      for (let i = 10; i < 19; i++) assert.ok(fs.existsSync(at(`d${i}/e/f/g/new`)))
      assert.ok(fs.existsSync(at('d0/e/f/g/moved')))
    })
  })

test('a directory is opened in one call from the nearest that is open', {
  skip: noOpenat2,
}, () => {
  fs.mkdirSync(at('a/b/c/d'), { recursive: true })
  const asked: string[] = []
  const noted: Beneath = {
    open: (from, path) => {
      asked.push(`${fs.readlinkSync(`/proc/self/fd/${from}`).slice(base.length)}: ${path}`)
      return beneath.open(from, path)
    },
    close: beneath.close,
  }
  root = new SafeRoot(join(base, 'share'), { beneath: noted })
  try {
    for (const path of ['a/b/c', 'a/b/c', 'a/b/c/d', '', 'a/b']) root.directory(path)
    assert.deepEqual(asked, ['/share: a/b/c', '/share/a/b/c: d', '/share: a/b'])
  } finally {
    root.close()
  }
})

test('paths that are none, or are no exact bytes, are never asked for at once', () => {
  const asked: string[] = []
  root = new SafeRoot(join(base, 'share'), {
    beneath: { open: (_, path) => void asked.push(path), close: () => assert.fail() },
  })
  try {
    for (const bad of ['..', 'a/..', 'a/../b', '.', './a', 'a//b', '/etc', 'a/', 'a\0/b', '\0'])
      assert.throws(() => root.directory(bad), coded('BAD_PATH'), JSON.stringify(bad))
    assert.throws(() => root.directory('\ud800/b'), coded('PARENT_MISSING'))
    assert.deepEqual(asked, [])
    root.directory('a/b')
    assert.throws(() => root.directory('..a/b.../.c'), coded('PARENT_MISSING'))
    assert.deepEqual(asked, ['a/b', '..a/b.../.c'])
  } finally {
    root.close()
  }
})

test('A5, A7: what is on another device is not entered, be it on the same mount (a subvolume of btrfs)', () => {
  const before = openDescriptors()
  let closed = 0
  const elsewhere: Beneath = {
    open: () => fs.openSync('/proc', 'r'),
    close: (fd) => {
      closed++
      fs.closeSync(fd)
    },
  }
  root = new SafeRoot(join(base, 'share'), { beneath: elsewhere })
  try {
    assert.equal(fs.fstatSync(root.directory('a/b')).ino, fs.statSync(at('a/b')).ino)
    assert.equal(closed, 1)
  } finally {
    root.close()
  }
  assert.equal(openDescriptors(), before)
})

test('the way at once finds anew what it has not worked in; what is between may be another directory by then', {
  skip: noOpenat2,
}, () => {
  fs.mkdirSync(at('a/b/c'), { recursive: true })
  fs.mkdirSync(at('a/b/d'))
  root = new SafeRoot(join(base, 'share'), { beneath })
  try {
    root.directory('a/b/c')
    fs.renameSync(at('a'), at('moved'))
    fs.symlinkSync(join(base, 'outside'), at('a'))
    assert.throws(() => root.directory('a/b/d'), coded('SYMLINK_IN_PATH'))
    fs.unlinkSync(at('a'))
    fs.mkdirSync(at('a/b/d'), { recursive: true })
    root.mkdir('a/b/d/new', 0o755)
    assert.ok(fs.existsSync(at('a/b/d/new')))
  } finally {
    root.close()
  }
})

const NAMES = ['a', 'b', 'c'] as const
const somePath = fc
  .array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join('/'))
const someNode = fc.record({
  path: somePath,
  kind: fc.constantFrom('directory' as const, 'directory' as const, 'file' as const, 'symlink' as const),
  target: fc.oneof(somePath, fc.constantFrom('.', '..', '/proc/self/cwd', '../outside', 'a/b')),
})
const someCall = fc.oneof(
  { weight: 8, arbitrary: somePath },
  fc
    .array(fc.constantFrom(...NAMES, '.', '..', '', 'a\0', '\ud800'), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.join('/')),
)

test('A1: in any tree all ways come to the same directory, or to the same fault', { skip: noOpenat2 }, () => {
  const before = openDescriptors()
  const seen = new Set<string>()
  let count = 0
  const property = fc.property(
    fc.array(someNode, { maxLength: 25 }),
    fc.array(someCall, { maxLength: 12 }),
    (nodes, calls) => {
      const place = join(base, `tree-${count++}`)
      fs.mkdirSync(join(place, 'share/a/b'), { recursive: true })
      fs.mkdirSync(join(place, 'outside/a/b'), { recursive: true })
      for (const node of nodes) make(join(place, 'share'), node)
      const results = WAYS.map((each) => resultsOf(join(place, 'share'), each.ways, calls))
      for (const result of results) assert.deepEqual(result, results[0])
      for (const result of results[0]!) seen.add(result.replace(/\d+/, 'reached'))
    },
  )
  fc.assert(property, { numRuns: 300 })
  // The directory, what is there by the name, and whether it can be opened to read.
  assert.deepEqual([...seen].sort(), [
    'BAD_PATH',
    'ELOOP',
    'ENOENT',
    'NOT_A_DIRECTORY',
    'PARENT_MISSING',
    'SYMLINK_IN_PATH',
    'opened',
    'reached',
    'undefined',
  ])
  assert.equal(openDescriptors(), before)
})

interface Node {
  readonly path: string
  readonly kind: 'directory' | 'file' | 'symlink'
  readonly target: string
}

/** What cannot be, because of what is there already, is left out. */
function make(share: string, { path, kind, target }: Node): void {
  const name = join(share, path)
  try {
    // Nothing is made where a symlink leads.
    if (fs.realpathSync(dirname(name)) !== join(fs.realpathSync(share), dirname(path))) return
    if (kind === 'directory') fs.mkdirSync(name)
    else if (kind === 'file') fs.writeFileSync(name, '', { flag: 'wx' })
    else fs.symlinkSync(target, name)
  } catch (thrown) {
    if (!['EEXIST', 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES'].includes(codeOf(thrown))) throw thrown
  }
}

/** For each path the inode of the directory that it leads to, or what it faults with. */
function resultsOf(share: string, ways: Ways, paths: readonly string[]): string[] {
  const safe = new SafeRoot(share, ways)
  const results = (call: () => unknown): string => {
    try {
      return `${call()}`
    } catch (thrown) {
      return codeOf(thrown)
    }
  }
  try {
    return paths.flatMap((path) => [
      results(() => fs.fstatSync(safe.directory(path)).ino),
      results(() => safe.lstat(path)?.ino),
      results(() => {
        const file = openToRead(safe, path)
        file.close()
        return 'opened'
      }),
    ])
  } finally {
    safe.close()
  }
}

test('a thread that opens directories at once is told of none that Node does not know', {
  skip: noOpenat2,
}, async () => {
  const before = openDescriptors()
  const worker = new Worker(new URL('safefs-thread.js', import.meta.url), {
    workerData: { share: join(base, 'share') },
  })
  const [told] = await once(worker, 'message')
  assert.deepEqual(told, { warnings: [], reached: 100 })
  await once(worker, 'exit')
  assert.equal(openDescriptors(), before)
})
