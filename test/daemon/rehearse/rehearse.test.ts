// What a rehearsal must never do: take anything away that was not its own. Meets nobody.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { type RehearseOptions, rehearse } from '../../../src/daemon/rehearse/rehearse.js'

test('a folder that holds anything, a link and a file are refused, and stay as they are', async () => {
  const home = fs.mkdtempSync(path.join(tmpdir(), 'shoal-rehearse-test-'))
  try {
    const mine = path.join(home, 'mine')
    fs.mkdirSync(path.join(mine, 'photos'), { recursive: true })
    fs.writeFileSync(path.join(mine, 'photos/one'), 'one')
    const link = path.join(home, 'link')
    fs.symlinkSync(mine, link)
    // Nothing else of the options is looked at by then.
    for (const to of [mine, link, path.join(mine, 'photos/one')])
      await assert.rejects(
        rehearse({ to, keep: false, share: { dir: home } } as unknown as RehearseOptions),
        {
          code: 'EXISTS',
          message: /no empty folder/,
        },
      )
    assert.equal(fs.readFileSync(path.join(mine, 'photos/one'), 'utf8'), 'one')
    assert.equal(fs.readlinkSync(link), mine)
  } finally {
    fs.rmSync(home, { recursive: true })
  }
})
