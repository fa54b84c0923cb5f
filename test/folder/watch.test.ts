// The watcher on real directories (A10): what changes is reported as dirty, in time; lost events are noticed.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { OWN_DIR } from '../../src/core/path.js'
import { type Directory, Watcher, type WatcherOptions, type WatchLimit } from '../../src/folder/watch.js'
import { silentLog } from '../../src/ports/log.js'

interface Bench {
  readonly root: string
  readonly watcher: Watcher
  readonly dirty: Set<string>
  readonly gone: Set<string>
  readonly limits: WatchLimit[]
  readonly overflows: string[]
  /** All that was reported of what happened up to now; forgets it. */
  seen(): Promise<string[]>
}

async function watching(
  body: (bench: Bench) => Promise<void>,
  options: Partial<WatcherOptions> & { readonly ownDirectory?: boolean } = {},
): Promise<void> {
  const { ownDirectory = true, ...rest } = options
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-watch-'))
  if (ownDirectory) fs.mkdirSync(path.join(root, OWN_DIR))
  const watcher = new Watcher(root, { log: silentLog, canaryIntervalMs: 0, ...rest })
  const dirty = new Set<string>()
  const gone = new Set<string>()
  const limits: WatchLimit[] = []
  const overflows: string[] = []
  watcher.on('dirty', (directories) => {
    for (const directory of directories) dirty.add(directory)
  })
  watcher.on('gone', (directories) => {
    for (const directory of directories) gone.add(directory)
  })
  watcher.on('limited', (limit) => limits.push(limit))
  watcher.on('overflow', (reason) => overflows.push(reason))
  const seen = async (): Promise<string[]> => {
    assert.equal(await watcher.flush(), true)
    const now = [...dirty].sort()
    dirty.clear()
    return now
  }
  try {
    await body({ root, watcher, dirty, gone, limits, overflows, seen })
  } finally {
    await watcher.close()
    fs.rmSync(root, { recursive: true, force: true })
  }
}

const dirs = (...list: string[]): Directory[] => list as Directory[]

test('A10: a change marks its directory dirty, and only that one', () =>
  watching(async ({ root, watcher, seen }) => {
    fs.mkdirSync(path.join(root, 'a/b'), { recursive: true })
    await watcher.add(dirs('', 'a', 'a/b'))
    assert.deepEqual(await seen(), [])
    fs.writeFileSync(path.join(root, 'a/b/file'), 'x')
    assert.deepEqual(await seen(), ['a/b'])
    fs.appendFileSync(path.join(root, 'a/b/file'), 'y')
    assert.deepEqual(await seen(), ['a/b'])
    fs.renameSync(path.join(root, 'a/b/file'), path.join(root, 'a/file'))
    assert.deepEqual(await seen(), ['a', 'a/b'])
    fs.chmodSync(path.join(root, 'a/file'), 0o600)
    assert.deepEqual(await seen(), ['a'])
    fs.utimesSync(path.join(root, 'a/file'), 1, 1)
    assert.deepEqual(await seen(), ['a'])
    fs.unlinkSync(path.join(root, 'a/file'))
    assert.deepEqual(await seen(), ['a'])
    fs.writeFileSync(path.join(root, 'top'), '')
    assert.deepEqual(await seen(), [''])
  }))

test('A10: mkdir -p and a file in it: following dirty directories finds all', () =>
  watching(async ({ root, watcher, dirty }) => {
    await watcher.add(dirs(''))
    fs.mkdirSync(path.join(root, 'd1/d2/d3'), { recursive: true })
    fs.writeFileSync(path.join(root, 'd1/d2/d3/file'), 'x')
    // As the share does it: watch what a scan found, then scan that.
    const found = new Set<string>()
    for (let round = 0; round < 10 && !found.has('d1/d2/d3/file'); round++) {
      await watcher.flush()
      const work = [...dirty]
      dirty.clear()
      for (let directory = work.pop(); directory !== undefined; directory = work.pop())
        for (const entry of fs.readdirSync(path.join(root, directory), { withFileTypes: true })) {
          const child = directory === '' ? entry.name : `${directory}/${entry.name}`
          if (child === OWN_DIR) continue
          found.add(child)
          if (!entry.isDirectory()) continue
          await watcher.add(dirs(child))
          work.push(child)
        }
    }
    assert.deepEqual([...found].sort(), ['d1', 'd1/d2', 'd1/d2/d3', 'd1/d2/d3/file'])
  }))

test('A10: a renamed directory loses its watches with all below; added again they report the new name', () =>
  watching(async ({ root, watcher, gone, seen }) => {
    fs.mkdirSync(path.join(root, 'a/sub/deep'), { recursive: true })
    await watcher.add(dirs('', 'a', 'a/sub', 'a/sub/deep'))
    fs.renameSync(path.join(root, 'a'), path.join(root, 'b'))
    assert.deepEqual(await seen(), ['', 'a'])
    assert.deepEqual([...gone], ['a'])
    fs.writeFileSync(path.join(root, 'b/sub/deep/file'), 'x')
    assert.deepEqual(await seen(), [])
    await watcher.add(dirs('', 'b', 'b/sub', 'b/sub/deep'))
    fs.writeFileSync(path.join(root, 'b/sub/deep/file'), 'y')
    assert.deepEqual(await seen(), ['b/sub/deep'])
  }))

test('A10: two directories that change places are watched under their new names once added again', () =>
  watching(async ({ root, watcher, seen }) => {
    fs.mkdirSync(path.join(root, 'a/x'), { recursive: true })
    fs.mkdirSync(path.join(root, 'b/y'), { recursive: true })
    await watcher.add(dirs('', 'a', 'a/x', 'b', 'b/y'))
    fs.renameSync(path.join(root, 'a'), path.join(root, 'c'))
    fs.renameSync(path.join(root, 'b'), path.join(root, 'a'))
    fs.renameSync(path.join(root, 'c'), path.join(root, 'b'))
    await watcher.add(dirs('', 'a', 'a/y', 'b', 'b/x'))
    await seen()
    await watcher.add(dirs('', 'a', 'a/y', 'b', 'b/x'))
    assert.deepEqual(await seen(), [])
    fs.writeFileSync(path.join(root, 'a/y/file'), '')
    assert.deepEqual(await seen(), ['a/y'])
    fs.writeFileSync(path.join(root, 'b/x/file'), '')
    assert.deepEqual(await seen(), ['b/x'])
    fs.writeFileSync(path.join(root, 'a/file'), '')
    assert.deepEqual(await seen(), ['a'])
  }))

test('A10: a directory deleted and made again at once, its inode number reused, is still watched', () =>
  watching(async ({ root, watcher, seen }) => {
    const place = path.join(root, 'a')
    fs.mkdirSync(place)
    await watcher.add(dirs('', 'a'))
    for (let round = 0; round < 20; round++) {
      fs.rmdirSync(place)
      fs.mkdirSync(place)
      const now = await seen()
      assert.ok(now.includes('') && now.includes('a'))
      // Where the number was not reused the watch is gone, and the share adds what its scan finds.
      await watcher.add(dirs('a'))
      await seen()
      fs.writeFileSync(path.join(place, 'file'), '')
      assert.deepEqual(await seen(), ['a'])
      fs.unlinkSync(path.join(place, 'file'))
      await seen()
    }
  }))

test("A10: a child that bears its parent's name does not disturb the watches", () =>
  watching(async ({ root, watcher, gone, seen }) => {
    fs.mkdirSync(path.join(root, 'src/lib'), { recursive: true })
    await watcher.add(dirs('', 'src', 'src/lib'))
    fs.mkdirSync(path.join(root, 'src/src'))
    assert.deepEqual(await seen(), ['src'])
    fs.rmdirSync(path.join(root, 'src/src'))
    assert.deepEqual(await seen(), ['src'])
    fs.writeFileSync(path.join(root, 'src/lib/file'), '')
    assert.deepEqual(await seen(), ['src/lib'])
    assert.equal(gone.size, 0)
  }))

test('A10: a directory that a file takes the place of, with directories in it that change, ends no thread', () =>
  watching(async ({ root, watcher, seen }) => {
    fs.mkdirSync(path.join(root, 'a/sub/deep'), { recursive: true })
    await watcher.add(dirs('', 'a', 'a/sub', 'a/sub/deep'))
    for (let round = 0; round < 20; round++) {
      fs.rmSync(path.join(root, 'a'), { recursive: true })
      fs.writeFileSync(path.join(root, 'a'), 'x')
      await watcher.add(dirs('', 'a', 'a/sub', 'a/sub/deep'))
      assert.equal((await seen()).includes('' as Directory), true)
      fs.rmSync(path.join(root, 'a'))
      fs.mkdirSync(path.join(root, 'a/sub/deep'), { recursive: true })
      await watcher.add(dirs('', 'a', 'a/sub', 'a/sub/deep'))
      await seen()
    }
    fs.writeFileSync(path.join(root, 'a/sub/deep/file'), 'x')
    assert.deepEqual(await seen(), ['a/sub/deep'])
  }))

test('A10: a removed directory is forgotten with all below it', () =>
  watching(async ({ root, watcher, seen }) => {
    fs.mkdirSync(path.join(root, 'a/sub'), { recursive: true })
    fs.mkdirSync(path.join(root, 'ab'))
    await watcher.add(dirs('a', 'a/sub', 'ab'))
    watcher.remove(dirs('a'))
    fs.writeFileSync(path.join(root, 'a/file'), '')
    fs.writeFileSync(path.join(root, 'a/sub/file'), '')
    fs.writeFileSync(path.join(root, 'ab/file'), '')
    await watcher.flush()
    assert.deepEqual(await seen(), ['ab'])
  }))

test('A1: a symlink to a directory is not watched; what is no directory is reported gone', () =>
  watching(async ({ root, watcher, gone, seen }) => {
    fs.mkdirSync(path.join(root, 'real'))
    fs.symlinkSync('real', path.join(root, 'link'))
    fs.writeFileSync(path.join(root, 'file'), '')
    await watcher.add(dirs('link', 'file', 'missing', 'missing/below'))
    assert.deepEqual([...gone].sort(), ['file', 'link', 'missing', 'missing/below'])
    fs.writeFileSync(path.join(root, 'real/file'), '')
    assert.deepEqual(await seen(), [])
  }))

test('A10: odd names are watched like any other', () =>
  watching(async ({ root, watcher, seen }) => {
    const names = ['new\nline', 'back\\slash', '__proto__', '-rf', ' ', '...', 'größe', 'constructor', '🐟']
    for (const name of names) fs.mkdirSync(path.join(root, name))
    await watcher.add(dirs(...names))
    for (const name of names) fs.writeFileSync(path.join(root, name, name), '')
    assert.deepEqual(await seen(), [...names].sort())
  }))

test('A10: the first event after quiet is reported without waiting for flush or a gathering time', () =>
  watching(async ({ root, watcher }) => {
    fs.mkdirSync(path.join(root, 'a'))
    await watcher.add(dirs('', 'a'))
    const heard = new Promise<readonly Directory[]>((resolve) => watcher.once('dirty', resolve))
    fs.writeFileSync(path.join(root, 'a/file'), 'x')
    assert.deepEqual(await heard, ['a'])
  }))

test('A10: a burst of 20,000 creates is noticed in few messages', () =>
  watching(async ({ root, watcher, dirty }) => {
    fs.mkdirSync(path.join(root, 'a'))
    await watcher.add(dirs('', 'a'))
    let messages = 0
    watcher.on('dirty', () => messages++)
    for (let index = 0; index < 20_000; index++)
      fs.closeSync(fs.openSync(path.join(root, 'a', String(index)), 'w'))
    await watcher.flush()
    assert.ok(dirty.has('a'))
    assert.ok(messages < 1000, `${messages} messages`)
  }))

test('A10: an overflow of the kernel queue is noticed', { skip: process.platform !== 'linux' }, () =>
  watching(
    async ({ root, watcher, overflows, dirty }) => {
      fs.mkdirSync(path.join(root, 'a'))
      fs.mkdirSync(path.join(root, 'b'))
      await watcher.add(dirs('', 'a', 'b'))
      const length = Number(fs.readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'))
      const gate = new Int32Array(new SharedArrayBuffer(4))
      watcher.block(gate)
      for (let index = 0; index < length / 2; index++) {
        const place = path.join(root, 'a', String(index))
        fs.closeSync(fs.openSync(place, 'w'))
        fs.unlinkSync(place)
      }
      // This one the kernel has no room for.
      fs.writeFileSync(path.join(root, 'b/lost'), 'x')
      const overflow = new Promise((resolve) => watcher.once('overflow', resolve))
      Atomics.store(gate, 0, 1)
      Atomics.notify(gate, 0)
      assert.equal(await overflow, 'queue')
      assert.ok(!dirty.has('b'))
      // And works again afterwards.
      assert.equal(await watcher.flush(), true)
      fs.writeFileSync(path.join(root, 'b/later'), 'x')
      assert.equal(await watcher.flush(), true)
      assert.ok(dirty.has('b'))
      assert.deepEqual(overflows, ['queue'])
    },
    { testing: true },
  ),
)

test('A10: a canary directory that someone removed is made again, and flush stays certain', () =>
  watching(async ({ root, watcher, limits, overflows, seen }) => {
    await watcher.add(dirs(''))
    for (let round = 0; round < 3; round++) {
      fs.rmSync(path.join(root, OWN_DIR, 'canary'), { recursive: true })
      fs.writeFileSync(path.join(root, 'file'), String(round))
      assert.deepEqual(await seen(), [''])
    }
    assert.deepEqual([limits, overflows], [[], []])
  }))

test('A5: without .shoal nothing is made, flush is not certain, and it is said', () =>
  watching(
    async ({ root, watcher, limits }) => {
      await watcher.add(dirs(''))
      assert.equal(await watcher.flush(), false)
      assert.deepEqual(
        limits.map((limit) => limit.code),
        ['CANARY'],
      )
      assert.deepEqual(fs.readdirSync(root), [])
      fs.mkdirSync(path.join(root, OWN_DIR))
      assert.equal(await watcher.flush(), true)
    },
    { ownDirectory: false },
  ))

test('A1: a .shoal that is a symlink is not written through', () =>
  watching(
    async ({ root, watcher }) => {
      const other = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-watch-other-'))
      try {
        fs.symlinkSync(other, path.join(root, OWN_DIR))
        await watcher.add(dirs(''))
        assert.equal(await watcher.flush(), false)
        assert.deepEqual(fs.readdirSync(other), [])
      } finally {
        fs.rmSync(other, { recursive: true })
      }
    },
    { ownDirectory: false },
  ))

test('A10: the canary leaves nothing behind but its directory, and sings by itself', () =>
  watching(
    async ({ root, watcher, overflows }) => {
      await watcher.add(dirs(''))
      const canary = path.join(root, OWN_DIR, 'canary')
      const sang = new Promise<void>((resolve) => {
        const listener = fs.watch(canary, () => {
          listener.close()
          resolve()
        })
      })
      await sang
      await watcher.flush()
      assert.deepEqual(overflows, [])
    },
    { canaryIntervalMs: 20 },
  ))

test('close ends the thread and settles what waits', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-watch-'))
  const watcher = new Watcher(root, { log: silentLog })
  const waiting = Promise.all([watcher.add(dirs('')), watcher.flush()])
  await watcher.close()
  assert.equal((await waiting)[1], false)
  assert.equal(await watcher.flush(), false)
  await watcher.add(dirs(''))
  await watcher.close()
  fs.rmSync(root, { recursive: true })
})

for (const how of ['throw', 'exit', 'memory'] as const)
  test(`A10: a thread that dies (${how}) is replaced, which is said, and what changes then is noticed`, () =>
    watching(
      async ({ root, watcher, limits, overflows, seen }) => {
        fs.mkdirSync(path.join(root, 'a'))
        await watcher.add(dirs('', 'a'))
        await watcher.flush()
        const again = new Promise<void>((resolve) => watcher.once('overflow', () => resolve()))
        // Of no use to a thread that is about to die, and answered all the same.
        watcher.fail(how)
        const waiting = [watcher.add(dirs('a')), watcher.flush()] as const
        await waiting[0]
        assert.equal(await waiting[1], false)
        assert.equal(await watcher.flush(), false, 'nothing is certain while there is no thread')
        await watcher.add(dirs('', 'a'))
        watcher.remove(dirs('a'))
        await again
        assert.deepEqual(overflows, ['restart'])
        assert.deepEqual(limits, [])
        // As the full scan does that follows.
        await watcher.add(dirs('', 'a'))
        await seen()
        fs.writeFileSync(path.join(root, 'a/file'), 'x')
        assert.deepEqual(await seen(), ['a'])
      },
      { testing: true, restartPauseMs: 20 },
    ))

test('A6: a thread that dies again and again is reported, and started anew all the same', () =>
  watching(
    async ({ root, watcher, limits, overflows, seen }) => {
      for (let deaths = 1; deaths <= 4; deaths++) {
        const again = new Promise<void>((resolve) => watcher.once('overflow', () => resolve()))
        watcher.fail('exit')
        await again
        assert.equal(limits.length, Math.max(0, deaths - 2))
      }
      assert.match(limits[1]!.detail, /ended 4 times in a row/)
      assert.equal(limits[1]!.code, 'WORKER')
      assert.deepEqual(overflows, ['restart', 'restart', 'restart', 'restart'])
      await watcher.add(dirs(''))
      fs.writeFileSync(path.join(root, 'file'), 'x')
      assert.deepEqual(await seen(), [''])
    },
    { testing: true, restartPauseMs: 5 },
  ))

test('A6: that the watch thread of another version does nothing, after an upgrade beneath the daemon, is reported', () =>
  watching(
    async ({ watcher, limits }) => {
      assert.equal(await watcher.flush(), false, 'no thread answers')
      while (limits.length === 0) await once(watcher, 'limited')
      assert.equal(limits[0]!.code, 'WORKER')
      assert.match(
        limits[0]!.detail,
        /\(version 0\.0\.1 runs, but version .* is installed by now: restart it\)/,
      )
    },
    { restartPauseMs: 5, version: '0.0.1' },
  ))

test('close between a thread and its replacement leaves neither a timer nor a thread', () =>
  watching(
    async ({ watcher, overflows }) => {
      const timers = (): number =>
        process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
      await watcher.add(dirs(''))
      const before = timers()
      const waiting = watcher.flush()
      watcher.fail('exit')
      await waiting
      while (await watcher.flush()) assert.ok(!overflows.length)
      assert.equal(timers(), before + 1, 'it waits to start another one')
      await watcher.close()
      assert.equal(timers(), before)
      assert.ok(!process.getActiveResourcesInfo().includes('MessagePort'))
      assert.deepEqual(overflows, [])
    },
    { testing: true, restartPauseMs: 600_000 },
  ))
