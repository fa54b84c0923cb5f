import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Share } from './commit-kit.js'

/** "nobody" on Linux. */
const NOBODY = 65534

test('directories without permission are lent it for one step, and only our own', (context) => {
  const child = fileURLToPath(new URL('./commit-unlock-child.js', import.meta.url))
  const isRoot = process.geteuid?.() === 0
  const theirs = new Share()
  try {
    const argv: string[] = [child]
    if (isRoot) {
      // Nobody's share, with a directory of root's in it.
      fs.mkdirSync(theirs.at('locked'), { mode: 0o555 })
      for (const name of ['', '.shoal', '.shoal/staging', '.shoal/archive'])
        fs.chownSync(theirs.at(name), NOBODY, NOBODY)
      argv.push(theirs.root)
    }
    const { status, stderr } = spawnSync(process.execPath, argv, {
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
      encoding: 'utf8',
    })
    if (
      isRoot &&
      /EACCES.*(node|dist|build)|Cannot find module/s.test(stderr) &&
      !/AssertionError/.test(stderr)
    )
      return context.skip('nobody may not read the tests here')
    assert.equal(status, 0, stderr)
    if (isRoot) assert.deepEqual(fs.readdirSync(theirs.at('locked')), [])
  } finally {
    theirs.remove()
  }
})
