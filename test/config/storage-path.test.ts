import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { storagePathIn } from '../../src/config/storage-path.js'

test('where the storage is, of a file that is none any more', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'shoal-storage-path-'))
  t.after(() => rmSync(dir, { recursive: true, force: true }))
  const file = join(dir, 'a.conf')
  const cases: [string, string | undefined][] = [
    ['{ "storage_path": "/srv/state", "shared_folders": [', '/srv/state'],
    [
      '{\n  // "storage_path": "/commented/out",\n  "storage_path" : "state \\"x\\"" "listening_port": 5',
      join(dir, 'state "x"'),
    ],
    ['{ "listening_port": x, "storage_path": "/srv/state"', '/srv/state'],
    ['{ "storage_path": 5 }', undefined],
    ['', undefined],
  ]
  for (const [text, expected] of cases) {
    writeFileSync(file, text)
    assert.equal(await storagePathIn(file), expected, text)
  }
  writeFileSync(file, Buffer.from([0xff, 0xfe, 0x00]))
  assert.equal(await storagePathIn(file), undefined)
  assert.equal(await storagePathIn(join(dir, 'none.conf')), undefined)
})
