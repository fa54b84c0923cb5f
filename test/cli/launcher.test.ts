// bin/shoal: which flags each release of node is started with. One that a node does not know would stop it from starting.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { repository } from '../support/repository.js'

const SHOAL = fileURLToPath(new URL('bin/shoal', repository))

describe('the launcher', () => {
  let folder: string
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'shoal-launcher-'))
    const fake =
      '#!/bin/sh\nif [ "$*" = --version ]; then echo "$FAKE_VERSION"; else printf "%s\\n" "$@"; fi\n'
    writeFileSync(path.join(folder, 'node'), fake, { mode: 0o755 })
  })
  after(() => rmSync(folder, { recursive: true }))

  /** The flags that a node of this version gets. */
  function flagsOf(version: string): string[] {
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, FAKE_VERSION: version }
    const { stdout, status } = spawnSync(SHOAL, ['a word', 'b'], { encoding: 'utf8', env })
    assert.equal(status, 0)
    const given = stdout.trimEnd().split('\n')
    assert.match(given.at(-3)!, /\/dist\/program\/cli\/main\.js$/)
    assert.deepEqual(given.slice(-2), ['a word', 'b'])
    return given.slice(0, -3)
  }

  it('gives 22 and 24 what they know, and a release that nobody tried no flag at all', () => {
    assert.ok(flagsOf('v20.20.2').includes('--interrupt-budget=600000'))
    for (const version of ['v22.23.3', 'v24.21.0']) {
      assert.ok(flagsOf(version).includes('--expose-gc'))
      assert.deepEqual(
        flagsOf(version).filter((flag) => flag.startsWith('--interrupt-budget')),
        [],
      )
    }
    for (const version of ['v26.0.0', '']) assert.deepEqual(flagsOf(version), [])
  })

  it('starts with the node that is here', () => {
    const { version } = JSON.parse(readFileSync(new URL('package.json', repository), 'utf8')) as {
      version: string
    }
    const { stdout, stderr } = spawnSync(SHOAL, ['--version'], { encoding: 'utf8' })
    assert.deepEqual([stdout, stderr], [`${version}\n`, ''])
  })
})
