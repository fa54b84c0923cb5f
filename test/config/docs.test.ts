import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { parseConfig } from '../../src/config/config.js'
import { LIVE_KEYS } from '../../src/config/reload.js'
import { repository } from '../support/repository.js'

it('docs/configuration.md shows a file that is right', () => {
  const page = readFileSync(new URL('docs/configuration.md', repository), 'utf8')
  const [, example] = /```jsonc\n(.*?)```/s.exec(page) ?? []
  assert.ok(example !== undefined)
  const { config, warnings } = parseConfig(example, '/etc/shoal/shoal.conf')
  assert.deepEqual(warnings, [])
  assert.deepEqual(config.shares[0]?.secret, { file: '/etc/shoal/photos.secret' })
})

it('docs/configuration.md lists the keys that take effect at once', () => {
  const page = readFileSync(new URL('docs/configuration.md', repository), 'utf8')
  const [, list] = /These take effect at once: (.*?)\. All else needs a restart/s.exec(page) ?? []
  const listed = [...(list ?? '').matchAll(/`([\w.]+)`/g)].map(([, key]) => key)
  assert.deepEqual(listed.sort(), [...LIVE_KEYS].sort())
})
