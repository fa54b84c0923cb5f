// Which files another process has open for writing (A8). The other process is a child that holds them open.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { fileKey, openForWriting } from '../../src/folder/openfiles.js'

/** A child that opens files with these flags and then waits until its input ends. */
async function holding(files: readonly (readonly [place: string, flags: string])[]): Promise<ChildProcess> {
  const program = `
    const fs = require('node:fs')
    for (const [place, flags] of JSON.parse(process.argv[1])) fs.openSync(place, flags)
    process.stdout.write('ready')
    process.stdin.on('end', () => process.exit()).resume()`
  const child = spawn(process.execPath, ['-e', program, JSON.stringify(files)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  await once(child.stdout!, 'data')
  return child
}

test('A8: files open for writing elsewhere are found; read ones, our own and closed ones are not', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'shoal-open-'))
  const at = (name: string): string => path.join(root, name)
  const key = (name: string): string => fileKey(fs.lstatSync(at(name)))
  const names = ['written', 'appended', 'both', 'read', 'ours', 'nobody']
  for (const name of names) fs.writeFileSync(at(name), name)
  fs.linkSync(at('written'), at('second name'))
  const ours = fs.openSync(at('ours'), 'r+')
  const child = await holding([
    [at('written'), 'r+'],
    [at('appended'), 'a'],
    [at('both'), 'w+'],
    [at('read'), 'r'],
  ])
  try {
    const files = names.map((name) => fs.lstatSync(at(name)))
    const found = openForWriting(files, 60_000)
    assert.equal(found.complete, true)
    assert.deepEqual([...found.open].sort(), [key('written'), key('appended'), key('both')].sort())
    assert.ok(openForWriting([fs.lstatSync(at('second name'))], 60_000).open.has(key('written')))
    assert.deepEqual(openForWriting([], 60_000), { open: new Set(), complete: true })
    const cut = openForWriting(files, -1)
    assert.equal(cut.complete, false)
    const ended = once(child, 'exit')
    child.stdin!.end()
    await ended
    assert.deepEqual([...openForWriting(files, 60_000).open], [])
  } finally {
    child.kill()
    fs.closeSync(ours)
    fs.rmSync(root, { recursive: true })
  }
})
