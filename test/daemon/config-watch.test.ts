// Real files in a temporary folder, looked at every few milliseconds; what is waited for is the event.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { ConfigWatch } from '../../src/daemon/config-watch.js'

interface Watched {
  readonly folder: string
  readonly file: string
  readonly watch: ConfigWatch
  changes: number
  /** Resolves at the next change. */
  next(): Promise<void>
}

async function withWatch(body: (watched: Watched) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(join(tmpdir(), 'shoal-config-watch-'))
  const file = join(folder, 'nas.conf')
  fs.writeFileSync(file, '1')
  let wake: () => void = () => undefined
  const watch = new ConfigWatch({
    paths: () => [file, `${file}.d`],
    onChange: () => {
      watched.changes++
      wake()
    },
    lookMs: 5,
  })
  const watched: Watched = {
    folder,
    file,
    watch,
    changes: 0,
    next: () =>
      new Promise((resolve) => {
        wake = resolve
      }),
  }
  await watch.start()
  try {
    await body(watched)
  } finally {
    watch.stop()
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

test('a file written in place, one renamed over it, its loss and its return are told', async () => {
  await withWatch(async ({ file, next }) => {
    for (const act of [
      () => fs.writeFileSync(file, '22'),
      () => {
        fs.writeFileSync(`${file}.swp`, '33')
        fs.renameSync(`${file}.swp`, file)
      },
      () => fs.rmSync(file),
      () => fs.writeFileSync(file, '44'),
    ]) {
      const told = next()
      act()
      await told
    }
  })
})

test('a folder of parts counts with all that is in it, also when it comes later', async () => {
  await withWatch(async ({ file, next }) => {
    const parts = `${file}.d`
    for (const act of [
      () => fs.mkdirSync(parts),
      () => fs.writeFileSync(join(parts, 'a.part'), 'a'),
      () => fs.writeFileSync(join(parts, 'a.part'), 'aa'),
      () => fs.renameSync(join(parts, 'a.part'), join(parts, 'b.part')),
      () => fs.rmSync(join(parts, 'b.part')),
    ]) {
      const told = next()
      act()
      await told
    }
  })
})

test('a link counts by what it leads to', async () => {
  await withWatch(async ({ folder, file, next }) => {
    const real = join(folder, 'real')
    fs.writeFileSync(real, 'x')
    let told = next()
    fs.rmSync(file)
    fs.symlinkSync(real, file)
    await told
    told = next()
    fs.writeFileSync(real, 'yy')
    await told
  })
})

test('what was read just now is not told, and nothing after stop()', async () => {
  await withWatch(async (watched) => {
    fs.writeFileSync(watched.file, '22')
    await watched.watch.seen()
    const told = watched.next()
    fs.writeFileSync(join(watched.folder, 'other'), 'x')
    fs.writeFileSync(watched.file, '333')
    await told
    assert.equal(watched.changes, 1)
    watched.watch.stop()
    fs.writeFileSync(watched.file, '4444')
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(watched.changes, 1)
  })
})
