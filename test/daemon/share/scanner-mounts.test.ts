// A real disk that is mounted over a synced directory and unmounted again, under a running watcher and the real folder
// pool: what it hides is not deleted, what is on it is not announced (A5, A7). Skipped where nothing can be mounted.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { Scanner } from '../../../src/daemon/share/scanner.js'
import { FolderPool } from '../../../src/folder/pool.js'
import { Watcher } from '../../../src/folder/watch.js'
import { silentLog } from '../../../src/ports/log.js'
import { at, newBench } from './support.js'

/** Mounts a tmpfs; false where that is not allowed. */
const mount = (place: string): boolean =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'shoal-test', place]).status === 0

test('A5, A7: a disk mounted over a synced directory, and unmounted, announces nothing and deletes nothing', async (t) => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-mounts-'))
  const place = path.join(root, 'm')
  fs.mkdirSync(path.join(root, '.shoal'))
  fs.mkdirSync(path.join(place, 'sub'), { recursive: true })
  fs.writeFileSync(path.join(place, 'sub/f'), 'below the disk')
  const bench = newBench()
  const pool = new FolderPool({ threads: 1 })
  const watcher = new Watcher(root, { log: silentLog, canaryIntervalMs: 0 })
  const { dev, ino } = fs.statSync(root)
  const scanner = new Scanner({
    ...bench.context,
    root,
    pool,
    watch: (directories) => watcher.add(directories),
    rootIdentity: () => ({ dev, ino, markerIno: 1 }),
  })
  watcher.on('dirty', (directories) => scanner.markDirty(directories))
  watcher.on('gone', (directories) => scanner.noteUnwatched(directories))
  const settled = async (): Promise<void> => {
    assert.equal(await watcher.flush(), true)
    await scanner.settled()
  }
  const published = (): string[] => bench.published.map(({ draft }) => draft.path).sort()
  let isMounted = false
  try {
    await scanner.fullScan()
    await settled()
    assert.deepEqual(published(), ['m', 'm/sub', 'm/sub/f'])
    bench.published.length = 0
    isMounted = mount(place)
    if (!isMounted) return t.skip('no file system can be mounted here')
    fs.mkdirSync(path.join(place, 'other'))
    // Whatever makes them dirty: each is looked at while it cannot be reached.
    scanner.markDirty(['', 'm', 'm/sub'].map(at))
    await settled()
    await scanner.fullScan()
    await settled()
    assert.deepEqual(published(), [])
    assert.equal(bench.index.applied(at('m/sub/f')).fact.type, 'file')
    assert.ok(bench.problems.list().some((problem) => problem.path === 'm'))
    assert.equal(spawnSync('umount', [place]).status, 0)
    isMounted = false
    scanner.markDirty(['', 'm', 'm/sub'].map(at))
    await settled()
    await scanner.fullScan()
    await settled()
    assert.deepEqual(published(), [])
    assert.deepEqual(bench.problems.list(), [])
    fs.rmSync(path.join(place, 'sub/f'))
    await settled()
    assert.ok(published().includes('m/sub/f'), 'it is watched as before')
  } finally {
    await scanner.stop()
    await watcher.close()
    await pool.close()
    if (isMounted) spawnSync('umount', ['-l', place])
    fs.rmSync(root, { recursive: true, force: true })
  }
})
