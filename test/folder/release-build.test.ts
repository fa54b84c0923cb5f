// Building, placing and removing releases on a disk (folder/release-build.ts).
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { getAttrSync, setAttrSync } from 'fs-native-extensions'
import type { RelPath } from '../../src/core/path.js'
import { type DiskStat, mtimeUsOf, sameStat, statOf } from '../../src/core/stat.js'
import { cleanStaging, prepareOwnDir } from '../../src/folder/marker.js'
import { buildRelease } from '../../src/folder/release-build.js'
import type { ReleaseStep, ReleaseStepResult } from '../../src/folder/release-job.js'
import { codeOf } from '../../src/folder/safefs.js'

const PLACE = '.shoal/staging/tree-0011'
let root: string

beforeEach(() => {
  root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-release-'))
  prepareOwnDir(root)
})

afterEach(() => {
  fs.rmSync(root, { recursive: true, force: true })
})

const at = (name: string): string => path.join(root, name)
const stat = (name: string): DiskStat => statOf(fs.lstatSync(at(name)))

function write(name: string, text: string, mtimeSeconds = 1_600_000_000): RelPath {
  fs.mkdirSync(path.dirname(at(name)), { recursive: true })
  fs.writeFileSync(at(name), text)
  fs.utimesSync(at(name), mtimeSeconds, mtimeSeconds)
  return name as RelPath
}

function build(...steps: ReleaseStep[]): ReleaseStepResult[] {
  return buildRelease({
    root,
    steps: [{ type: 'directory', at: PLACE }, ...steps],
    expectRoot: undefined,
  }).slice(1)
}

function copy(from: RelPath, earlier: RelPath[] = [], was: DiskStat = stat(from)): ReleaseStep {
  const others = earlier.map((name) => ({ path: name, stat: stat(name) }))
  return { type: 'file', from, stat: was, at: `${PLACE}/${path.basename(from)}`, earlier: others }
}

describe('a copy of a file', () => {
  it('has content, mode and time, and is another file', () => {
    const name = write('d/page', 'hello')
    fs.chmodSync(at(name), 0o4751)
    const [result] = build(copy(name))
    assert.equal(result?.status, 'done')
    const made = stat(`${PLACE}/page`)
    assert.equal(fs.readFileSync(at(`${PLACE}/page`), 'utf8'), 'hello')
    assert.deepEqual([made.mode, mtimeUsOf(made), made.nlink], [0o4751, mtimeUsOf(stat(name)), 1])
    assert.notEqual(made.ino, stat(name).ino)
    assert.ok(result?.status === 'done' && sameStat(result.stat!, made))
  })

  it('has its attributes', (t) => {
    const name = write('page', 'hello')
    const fd = fs.openSync(at(name), 'r')
    try {
      setAttrSync(fd, 'user.color', Buffer.from('blue'))
    } catch (thrown) {
      if (codeOf(thrown) !== 'ENOTSUP') throw thrown
      return t.skip('this file system has no extended attributes')
    } finally {
      fs.closeSync(fd)
    }
    build(copy(name))
    const made = fs.openSync(at(`${PLACE}/page`), 'r')
    assert.equal(getAttrSync(made, 'user.color')?.toString(), 'blue')
    fs.closeSync(made)
  })

  it('has its owner, where that may be set', (t) => {
    if (process.geteuid?.() !== 0) return t.skip('only root may give files away')
    const name = write('page', 'hello')
    fs.chownSync(at(name), 12, 34)
    build(copy(name))
    assert.deepEqual([stat(`${PLACE}/page`).uid, stat(`${PLACE}/page`).gid], [12, 34])
  })

  it('is not made of one that changed, and nothing is left', () => {
    const name = write('page', 'hello')
    const was = stat(name)
    write('page', 'other', 1_600_000_001)
    assert.deepEqual(build(copy(name, [], was)), [{ status: 'changed' }])
    assert.equal(fs.existsSync(at(`${PLACE}/page`)), false)
    fs.unlinkSync(at(name))
    assert.deepEqual(build(copy(name, [], was)), [{ status: 'changed' }])
  })

  it('follows no link', () => {
    write('secret', 'outside')
    const was = stat('secret')
    fs.symlinkSync('secret', at('page'))
    fs.mkdirSync(at('real'))
    write('real/page', 'x')
    fs.symlinkSync('real', at('d'))
    assert.deepEqual(build(copy('page' as RelPath, [], was)), [{ status: 'changed' }])
    assert.deepEqual(build(copy('d/page' as RelPath, [], stat('real/page'))), [{ status: 'changed' }])
  })

  it('is the very file of an earlier release, if that is untouched', () => {
    const name = write('page', 'hello')
    const old = write('releases/v1/page', 'hello')
    const [result] = build(copy(name, [old]))
    // A file system with clones needs no links.
    const isCloned = result?.status === 'done' && result.linked === undefined
    assert.equal(stat(`${PLACE}/page`).ino === stat(old).ino, !isCloned)
    if (!isCloned) assert.ok(result?.status === 'done' && sameStat(result.stat!, stat(old)))
    const step = copy(name, [old])
    write('releases/v1/page', 'HELLO', 1_600_000_009)
    build({ type: 'remove', at: PLACE })
    const [again] = build(step)
    assert.ok(again?.status === 'done' && again.linked === undefined)
    assert.equal(fs.readFileSync(at(`${PLACE}/page`), 'utf8'), 'hello')
  })
})

describe('a release', () => {
  it('gets its name once, and nothing there is replaced', () => {
    fs.mkdirSync(at('releases/v1'), { recursive: true })
    const to = 'releases/v1'
    const [refused] = build({ type: 'rename', from: PLACE, to })
    assert.ok(refused?.status === 'failed' && refused.code === 'EEXIST')
    fs.rmdirSync(at('releases/v1'))
    const [done] = build({ type: 'rename', from: PLACE, to })
    assert.ok(done?.status === 'done' && sameStat(done.stat!, stat('releases/v1')))
  })

  it('may have folders that nobody may write to', () => {
    write('d/page', 'hello')
    fs.chmodSync(at('d'), 0o555)
    const results = build(
      { type: 'directory', at: `${PLACE}/d` },
      { ...copy('d/page' as RelPath), at: `${PLACE}/d/page` } as ReleaseStep,
      { type: 'finish', from: 'd' as RelPath, at: `${PLACE}/d`, mtimeUs: 5_000_000 },
      { type: 'finish', from: 'd' as RelPath, at: PLACE, mtimeUs: 6_000_000 },
      { type: 'rename', from: PLACE, to: 'v1' },
    )
    assert.deepEqual(
      results.map(({ status }) => status),
      ['done', 'done', 'done', 'done', 'done'],
    )
    assert.deepEqual([stat('v1/d').mode, mtimeUsOf(stat('v1/d'))], [0o555, 5_000_000])
    assert.deepEqual([stat('v1').mode, mtimeUsOf(stat('v1'))], [0o555, 6_000_000])
    const [moved, removed] = build(
      { type: 'rename', from: 'v1', to: `${PLACE}2` },
      { type: 'remove', at: `${PLACE}2` },
    )
    assert.deepEqual([moved?.status, removed], ['done', { status: 'done' }])
    fs.chmodSync(at('d'), 0o755)
  })

  it('that is removed tells what its files are now under their other names', () => {
    write('v1/page', 'hello')
    fs.mkdirSync(at('v2'))
    fs.linkSync(at('v1/page'), at('v2/page'))
    const [, removed] = build(
      { type: 'rename', from: 'v1', to: `${PLACE}2` },
      { type: 'remove', at: `${PLACE}2` },
    )
    assert.deepEqual(removed, { status: 'done', left: [stat('v2/page')] })
  })

  it('is built nowhere but in the staging area, and in no other root', () => {
    const [directory] = build({ type: 'directory', at: 'd' })
    assert.ok(directory?.status === 'failed' && directory.code === 'BAD_PATH')
    const [removed] = build({ type: 'remove', at: 'd' })
    assert.ok(removed?.status === 'failed' && removed.code === 'BAD_PATH')
    const [moved] = build({ type: 'rename', from: PLACE, to: '../out' })
    assert.ok(moved?.status === 'failed')
    const steps: ReleaseStep[] = [{ type: 'directory', at: PLACE }]
    const [elsewhere] = buildRelease({ root, steps, expectRoot: { ino: 1, dev: 1 } })
    assert.ok(elsewhere?.status === 'failed' && elsewhere.code === 'ROOT_CHANGED')
  })

  it('that a crash left half-built is cleaned away at the next start', () => {
    write('page', 'hello')
    build(copy('page' as RelPath), { type: 'directory', at: `${PLACE}/d` })
    fs.chmodSync(at(PLACE), 0o500)
    const { faults } = cleanStaging({ root, keepTokens: [] })
    assert.deepEqual(faults, [])
    assert.deepEqual(fs.readdirSync(at('.shoal/staging')), [])
  })
})

describe('a small file', () => {
  const text = (to: string): ReleaseStep => ({
    type: 'text',
    at: `${PLACE}-text`,
    to: to as RelPath,
    text: 'new',
  })

  it('takes the name of a file, and of nothing else', () => {
    write('a.json', 'old')
    assert.equal(build(text('a.json'))[0]?.status, 'done')
    assert.equal(fs.readFileSync(at('a.json'), 'utf8'), 'new')
    fs.mkdirSync(at('d'))
    const [refused] = build(text('d'))
    assert.ok(refused?.status === 'failed' && refused.code === 'EISDIR')
    assert.equal(fs.existsSync(at(`${PLACE}-text`)), false)
  })
})
