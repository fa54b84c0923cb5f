// What the system keeps of a file in memory, and that it forgets a range when told.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { forgetCached, forgetCachedSync } from '../../src/ports/page-cache.js'

const PAGE = 4096
const PAGES = 64

/** Pages of a file that are in memory; util-linux's fincore tells. */
function cachedPages(place: string): number {
  const { stdout } = spawnSync('fincore', ['--noheadings', '--output', 'PAGES', place], { encoding: 'utf8' })
  return Number(stdout)
}

const hasFincore = spawnSync('fincore', ['--version']).error === undefined
const skip = process.platform === 'linux' && hasFincore ? false : 'fincore (util-linux) is not here'

for (const [name, forget] of [
  ['later', forgetCached],
  ['at once', forgetCachedSync],
] as const)
  test(`what was synced leaves memory when told, ${name}, and can be read again`, { skip }, async (t) => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-page-cache-'))
    t.after(() => fs.rmSync(folder, { recursive: true }))
    const place = path.join(folder, 'file')
    const content = Buffer.alloc(PAGES * PAGE, 'content')
    fs.writeFileSync(place, content)
    const fd = fs.openSync(place, 'r+')
    t.after(() => fs.closeSync(fd))
    fs.fsyncSync(fd)
    if (cachedPages(place) !== PAGES)
      return t.skip('this file system keeps nothing in memory that could be told')
    await forget(fd, 0, PAGES * PAGE)
    const left = cachedPages(place)
    if (left === PAGES) return t.skip('this file system is its memory')
    assert.equal(left, 0)
    assert.ok(fs.readFileSync(place).equals(content))
  })
